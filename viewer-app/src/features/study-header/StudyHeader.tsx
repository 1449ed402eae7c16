import { useTranslation } from 'react-i18next';
import type { StudyRow } from '@/api';
import {
  ageOn,
  alphabeticName,
  personName,
  sayAge,
  sayBodyPart,
  sayDate,
  sayDateTime,
  sayModality,
  saySex,
} from '@/i18n/words';
import styles from './StudyHeader.module.css';

interface Props {
  readonly study: StudyRow;
}

/** Whose images and documents these are: the seven facts a reader checks first. */
export function StudyHeader({ study }: Props) {
  const { t } = useTranslation();
  const name = personName(study);
  const latin = alphabeticName(study.patient_name);
  const age = ageOn(study.patient_age, study.patient_birth_date, study.study_datetime);
  const kind = [
    study.modalities.map((code) => sayModality(t, code)).join(' + '),
    study.body_parts.map((code) => sayBodyPart(t, code)).join('、'),
  ];
  const order = [study.study_description, study.accession_number].filter(Boolean).join(' · ');
  const facts = [
    ['registration', study.patient_id],
    ['birth', sayDate(study.patient_birth_date)],
    ['date', sayDateTime(study.study_datetime)],
    ['type', kind.filter(Boolean).join(' · ')],
    ['order', order],
  ] as const;
  return (
    <dl className={styles['header']} aria-label={t('study.header')}>
      <div className={styles['who']}>
        <dt className="visually-hidden">{t('study.name')}</dt>
        <dd className={styles['name']} title={latin}>
          {name}
        </dd>
        <dt className="visually-hidden">{t('study.sex')}</dt>
        <dd className={styles['sex']}>
          {saySex(t, study.patient_sex)} · <span className="num">{sayAge(t, age)}</span>
        </dd>
      </div>
      {facts.map(([key, value]) => (
        <div key={key} className={styles['fact']} data-fact={key}>
          <dt>{t(`study.${key}`)}</dt>
          <dd className="num" title={value}>
            {value || t('study.none')}
          </dd>
        </div>
      ))}
    </dl>
  );
}
