import { useTranslation } from 'react-i18next';
import type { SeriesRow, StudyRow } from '@/api';
import { PatientTimeline } from '@/features/patient-timeline';
import { SeriesList } from '@/features/series-list';
import { SERIES_DRAG_TYPE, useDisplayedSeries } from '@/viewer';
import { instanceKey } from './documents';
import styles from './StudyPage.module.css';

interface Props {
  readonly study: StudyRow;
  readonly series: readonly SeriesRow[];
  /** Key of the document on screen. */
  readonly document: string | undefined;
  readonly onOpenSeries: (series: SeriesRow) => void;
  readonly onOpenStudy: (studyUid: string) => void;
  readonly onOpenDocument: (entryUuid: string) => void;
}

/** What there is to see: the series of this examination, and the patient's history. */
export function Navigator(props: Props) {
  const { study, series, document, onOpenSeries, onOpenStudy, onOpenDocument } = props;
  const { t } = useTranslation();
  const images = useDisplayedSeries();
  const shown = series.filter((row) => instanceKey(row) === document).map((row) => row.series_uid);
  const displayed = [...images, ...shown];
  return (
    <aside className={styles['navigator']} aria-label={t('navigator.label')}>
      <section className={styles['series']} aria-label={t('navigator.series')}>
        <h2>
          {t('navigator.series')} <small className="num">{series.length}</small>
        </h2>
        <div className={styles['seriesScroll']}>
          <SeriesList
            studyUid={study.study_uid}
            series={series}
            displayed={displayed}
            dragType={SERIES_DRAG_TYPE}
            onOpen={onOpenSeries}
          />
        </div>
      </section>
      <div className={styles['history']}>
        <PatientTimeline
          patientKey={study.patient_key}
          currentStudy={study.study_uid}
          currentDocument={document}
          onOpenStudy={(row) => onOpenStudy(row.study_uid)}
          onOpenDocument={(row) => onOpenDocument(row.entry_uuid)}
        />
      </div>
    </aside>
  );
}
