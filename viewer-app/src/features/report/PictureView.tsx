import { useCallback } from 'react';
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
  const show = useCallback(
    (image: HTMLImageElement) => {
      const url = URL.createObjectURL(new Blob([content.bytes], { type: content.mimeType }));
      image.src = url;
      return () => URL.revokeObjectURL(url);
    },
    [content],
  );
  return (
    <>
      <TurningBar turning={turning} />
      <div className={styles['desk']} tabIndex={0}>
        <img
          ref={show}
          className={styles['picture']}
          alt={title}
          style={{ width: `${turning.scale * 100}%`, rotate: `${turning.rotation}deg` }}
          onError={onBroken}
        />
      </div>
    </>
  );
}
