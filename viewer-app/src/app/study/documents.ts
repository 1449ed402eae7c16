import type { TFunction } from 'i18next';
import type { DocumentRow, SeriesRow } from '@/api';
import type { ReportItem } from '@/features/report';
import { sayDateTime } from '@/i18n/words';

/** Key under which a document instance of the study stands in the address. */
export function instanceKey(series: SeriesRow): string {
  return `instance:${series.series_uid}`;
}

/** A registered document as the reading pane needs it. */
export function registeredItem(t: TFunction, row: DocumentRow): ReportItem {
  const author = row.author ? t('report.author', { name: row.author }) : '';
  return {
    key: row.entry_uuid,
    title: row.title || row.type_display,
    detail: [row.type_display, sayDateTime(row.creation_time), author].filter(Boolean).join(' · '),
    deprecated: row.availability === 'deprecated',
    sizeBytes: row.size_bytes,
    source: { kind: 'registered', entryUuid: row.entry_uuid },
  };
}

/** A document stored as a DICOM instance, likewise; null when nothing of it can be asked for. */
export function instanceItem(
  t: TFunction,
  studyUid: string,
  series: SeriesRow,
): ReportItem | null {
  if (series.viewable !== 'document' || !series.representative) return null;
  return {
    key: instanceKey(series),
    title: series.description || t('navigator.document'),
    detail: `DICOM · ${series.modality}`,
    deprecated: false,
    sizeBytes: null,
    source: {
      kind: 'instance',
      studyUid,
      seriesUid: series.series_uid,
      sopUid: series.representative.sop_uid,
    },
  };
}
