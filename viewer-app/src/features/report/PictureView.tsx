import { useEffect, useState } from 'react';
import type { Content } from '@/api';
import styles from './Report.module.css';
import { TurningBar } from './TurningBar';
import { useTurning } from './useTurning';

interface Props {
  readonly content: Content;
  readonly title: string;
  readonly onBroken: () => void;
}

/** A scanned or photographed document. */
export function PictureView({ content, title, onBroken }: Props) {
  const turning = useTurning();
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([content.bytes], { type: content.mimeType }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [content]);
  return (
    <>
      <TurningBar turning={turning} />
      <div className={styles['desk']} tabIndex={0}>
        {url ? (
          <img
            className={styles['picture']}
            src={url}
            alt={title}
            style={{ width: `${turning.scale * 100}%`, rotate: `${turning.rotation}deg` }}
            onError={onBroken}
          />
        ) : null}
      </div>
    </>
  );
}
