import { useTranslation } from 'react-i18next';
import type { StudyStatus } from '@/api';
import { sayModality } from '@/i18n/words';
import styles from './Worklist.module.css';

/** The kind of examination as a small tag. */
export function ModalityMark({ code }: { code: string }) {
  const { t } = useTranslation();
  return (
    <span className={styles['modality']} data-modality={code} title={sayModality(t, code)}>
      {code}
    </span>
  );
}

/** How far a study has come; colour is never the only sign. */
export function StatusMark({ status }: { status: StudyStatus }) {
  const { t } = useTranslation();
  return (
    <span className={styles['status']} data-status={status}>
      {t(`status.${status}`)}
    </span>
  );
}
