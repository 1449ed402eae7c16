import { RightOutlined } from '@ant-design/icons';
import { useTranslation } from 'react-i18next';
import type { StudyRow } from '@/api';
import { ageOn, personName, sayAge, sayDateTime, saySex } from '@/i18n/words';
import { ModalityMark, StatusMark } from './marks';
import styles from './Worklist.module.css';

interface Props {
  readonly rows: readonly StudyRow[];
  readonly hrefOf: (studyUid: string) => string;
  readonly onOpen: (studyUid: string) => void;
}

/** The list on a phone: one card an examination. */
export function StudyCards({ rows, hrefOf, onOpen }: Props) {
  const { t } = useTranslation();
  return (
    <ul className={styles['cards']}>
      {rows.map((row) => (
        <li key={row.study_uid}>
          <a
            className={styles['card']}
            href={hrefOf(row.study_uid)}
            onClick={(event) => {
              event.preventDefault();
              onOpen(row.study_uid);
            }}
          >
            <span className={styles['cardHead']}>
              <strong>{personName(row)}</strong>
              <span>
                {saySex(t, row.patient_sex)} ·{' '}
                {sayAge(t, ageOn(row.patient_age, row.patient_birth_date, row.study_datetime))}
              </span>
              <StatusMark status={row.status} />
            </span>
            <span className={styles['cardLine']}>
              {row.modalities.map((code) => (
                <ModalityMark key={code} code={code} />
              ))}
              <span className={styles['cardTitle']}>{row.study_description || '—'}</span>
            </span>
            <span className={`${styles['cardFoot']} num`}>
              {sayDateTime(row.study_datetime)} · {row.patient_id} ·{' '}
              {t('worklist.counts', { series: row.series_count, images: row.instance_count })}
            </span>
            <RightOutlined className={styles['cardArrow']} aria-hidden />
          </a>
        </li>
      ))}
    </ul>
  );
}
