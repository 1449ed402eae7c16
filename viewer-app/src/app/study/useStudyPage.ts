import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { SeriesRow } from '@/api';
import { useTimelineRequest } from '@/features/patient-timeline';
import { useIsNarrow } from '@/ui';
import type { ViewerSeries } from '@/viewer';
import { useViewerStore } from '@/viewer';
import type { StudySearchParams } from '../router';
import { instanceItem, instanceKey, registeredItem } from './documents';
import { useStudy } from './study.api';

/** What fills the centre of the page. */
export type Mode = 'image' | 'split' | 'document';

function viewerSeries(studyUid: string, row: SeriesRow): ViewerSeries {
  return {
    studyUid,
    seriesUid: row.series_uid,
    modality: row.modality,
    number: row.series_number,
    description: row.description,
    representativeSopUid: row.representative?.sop_uid,
    instanceCount: row.instance_count,
  };
}

/** The study page's data and its place in the address. */
export function useStudyPage() {
  const { t } = useTranslation();
  const narrow = useIsNarrow();
  const navigate = useNavigate({ from: '/studies/$studyUid' });
  const { studyUid } = useParams({ from: '/inside/studies/$studyUid' });
  const search = useSearch({ from: '/inside/studies/$studyUid' });
  const study = useStudy(studyUid);
  const timeline = useTimelineRequest(study.data?.study.patient_key);
  const openViewer = useViewerStore((state) => state.open);
  useEffect(openViewer, [openViewer, studyUid]);

  const rows = study.data?.series;
  const images = useMemo(
    () =>
      (rows ?? [])
        .filter((row) => row.viewable === 'image')
        .map((row) => viewerSeries(studyUid, row)),
    [rows, studyUid],
  );
  const reports = useMemo(() => {
    const instances = (rows ?? []).flatMap((row) => instanceItem(t, studyUid, row) ?? []);
    const registered = (timeline.data?.documents ?? [])
      .toSorted((a, b) => (b.creation_time ?? '').localeCompare(a.creation_time ?? ''))
      .map((row) => registeredItem(t, row));
    return [...instances, ...registered];
  }, [rows, timeline.data, studyUid, t]);

  const firstReport = images.length === 0 ? reports[0]?.key : undefined;
  const docKey = search.doc ?? firstReport;
  const at = reports.findIndex((item) => item.key === docKey);
  const report = reports[at];

  let mode: Mode = 'image';
  if (report) {
    mode = images.length === 0 || (narrow && search.mode !== undefined) ? 'document' : (search.mode ?? 'image');
  }

  const go = useCallback(
    (change: Partial<StudySearchParams>) =>
      void navigate({ search: (before) => ({ ...before, ...change }), replace: true }),
    [navigate],
  );
  const wantSeries = useCallback(
    (series: string) => go({ series, ...(narrow ? { mode: undefined } : {}) }),
    [go, narrow],
  );
  const openReport = useCallback(
    (doc: string) => go({ doc, mode: search.mode ?? (narrow ? 'document' : 'split') }),
    [go, search.mode, narrow],
  );
  const openSeries = useCallback(
    (row: SeriesRow) => {
      if (row.viewable === 'document') openReport(instanceKey(row));
      else go({ series: row.series_uid, mode: search.mode === 'document' ? undefined : search.mode });
    },
    [go, openReport, search.mode],
  );

  return {
    studyUid,
    study,
    images,
    reports,
    report,
    previousReport: reports[at - 1],
    nextReport: at >= 0 ? reports[at + 1] : undefined,
    mode,
    narrow,
    wanted: search.series ?? images[0]?.seriesUid,
    wantSeries,
    openSeries,
    openReport,
    setMode: (next: Mode) => go({ mode: next === 'image' ? undefined : next }),
    closeReport: () => go({ doc: undefined, mode: undefined }),
    openStudy: (uid: string) =>
      void navigate({ to: '/studies/$studyUid', params: { studyUid: uid }, search: {} }),
    home: () => void navigate({ to: '/' }),
  };
}
