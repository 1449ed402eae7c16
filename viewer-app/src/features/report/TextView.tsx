import { useMemo } from 'react';
import { decodeText } from './kinds';
import styles from './Report.module.css';

/** Plain text, in its own line breaks. */
export function TextView({ bytes }: { bytes: ArrayBuffer }) {
  const text = useMemo(() => decodeText(bytes), [bytes]);
  return (
    <div className={styles['desk']} tabIndex={0}>
      <pre className={styles['paper']}>{text}</pre>
    </div>
  );
}
