import styles from './Spinner.module.css';

/** A quiet turning ring with words for screen readers. */
export function Spinner({ label, shown = false }: { label: string; shown?: boolean }) {
  return (
    <div className={styles['box']} role="status">
      <span className={styles['ring']} aria-hidden />
      <span className={shown ? styles['label'] : 'visually-hidden'}>{label}</span>
    </div>
  );
}
