import {
  FileImageOutlined,
  FileOutlined,
  FilePdfOutlined,
  FileTextOutlined,
  HistoryOutlined,
} from '@ant-design/icons';
import { useVirtualizer } from '@tanstack/react-virtual';
import { Segmented } from 'antd';
import type { ReactNode } from 'react';
import { useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { DocumentRow, StudyRow } from '@/api';
import { sayDateTime } from '@/i18n/words';
import { ErrorState, Spinner, StateMessage } from '@/ui';
import type { TimelineFilter, TimelineLine } from './entries';
import { entriesOf, linesOf } from './entries';
import { useTimelineRequest } from './patient-timeline.api';
import styles from './PatientTimeline.module.css';

interface Props {
  readonly patientKey: string | undefined;
  readonly currentStudy: string;
  readonly currentDocument: string | undefined;
  readonly onOpenStudy: (study: StudyRow) => void;
  readonly onOpenDocument: (document: DocumentRow) => void;
}

const ROW_HEIGHT = 52;
const YEAR_HEIGHT = 30;

function iconOf(mime: string): ReactNode {
  if (mime === 'application/pdf') return <FilePdfOutlined />;
  if (mime.startsWith('image/')) return <FileImageOutlined />;
  return mime.startsWith('text/') || mime.includes('xml') ? <FileTextOutlined /> : <FileOutlined />;
}

/** All examinations and documents of the patient along time; long histories stay quick. */
export function PatientTimeline(props: Props) {
  const { patientKey, currentStudy, currentDocument, onOpenStudy, onOpenDocument } = props;
  const { t } = useTranslation();
  const query = useTimelineRequest(patientKey);
  const [filter, setFilter] = useState<TimelineFilter>('all');
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useMemo(
    () => (query.data ? linesOf(entriesOf(query.data, filter)) : []),
    [query.data, filter],
  );
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (lines[index]?.kind === 'year' ? YEAR_HEIGHT : ROW_HEIGHT),
    getItemKey: (index) => lines[index]?.key ?? index,
    overscan: 8,
  });

  function line(item: TimelineLine): ReactNode {
    if (item.kind === 'year') {
      return (
        <div className={styles['year']}>
          <span className="num">{item.year ?? t('navigator.undated')}</span>
          <small className="num">{item.count}</small>
        </div>
      );
    }
    if (item.kind === 'study') {
      const { study } = item;
      const current = study.study_uid === currentStudy;
      return (
        <button
          type="button"
          className={styles['entry']}
          aria-current={current ? 'true' : undefined}
          onClick={() => onOpenStudy(study)}
        >
          <span className={styles['mark']}>{study.modalities[0] ?? '—'}</span>
          <span className={styles['words']}>
            <span className={styles['title']}>
              {study.study_description || study.modalities.join(' + ')}
            </span>
            <span className={`${styles['detail']} num`}>
              {sayDateTime(study.study_datetime)}
              {current ? <em>{t('navigator.current')}</em> : null}
            </span>
          </span>
        </button>
      );
    }
    const { document } = item;
    const old = document.availability === 'deprecated';
    return (
      <button
        type="button"
        className={styles['entry']}
        data-kind="document"
        data-old={old}
        aria-current={document.entry_uuid === currentDocument ? 'true' : undefined}
        onClick={() => onOpenDocument(document)}
      >
        <span className={styles['mark']} aria-hidden>
          {iconOf(document.mime_type)}
        </span>
        <span className={styles['words']}>
          <span className={styles['title']}>{document.title || document.type_display}</span>
          <span className={`${styles['detail']} num`}>
            {sayDateTime(document.creation_time)}
            {old ? <em>{t('navigator.deprecated')}</em> : null}
          </span>
        </span>
      </button>
    );
  }

  return (
    <section className={styles['timeline']} aria-label={t('navigator.timeline')}>
      <header className={styles['head']}>
        <h2>{t('navigator.timeline')}</h2>
        <Segmented<TimelineFilter>
          size="small"
          aria-label={t('navigator.filter')}
          value={filter}
          onChange={setFilter}
          options={[
            { value: 'all', label: t('navigator.all') },
            { value: 'studies', label: t('navigator.studies') },
            { value: 'documents', label: t('navigator.documents') },
          ]}
        />
      </header>
      <div className={styles['scroller']} ref={scroller}>
        {query.isPending ? <Spinner label={t('app.loading')} /> : null}
        {query.error && !query.data ? (
          <ErrorState compact error={query.error} onRetry={() => void query.refetch()} />
        ) : null}
        {query.data && lines.length === 0 ? (
          <StateMessage compact icon={<HistoryOutlined />} title={t('navigator.empty')} />
        ) : null}
        <div className={styles['lines']} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((row) => (
            <div
              key={row.key}
              className={styles['line']}
              style={{ height: row.size, transform: `translateY(${row.start}px)` }}
            >
              {line(lines[row.index]!)}
            </div>
          ))}
        </div>
      </div>
    </section>
  );
}
