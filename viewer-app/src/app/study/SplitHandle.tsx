import type { KeyboardEvent, PointerEvent } from 'react';
import { useTranslation } from 'react-i18next';
import styles from './StudyPage.module.css';

interface Props {
  /** Part of the width that the images take. */
  readonly share: number;
  readonly onShare: (share: number) => void;
}

const bounded = (share: number) => Math.min(0.8, Math.max(0.25, share));

/** The bar between images and document. */
export function SplitHandle({ share, onShare }: Props) {
  const { t } = useTranslation();
  const drag = (down: PointerEvent<HTMLDivElement>) => {
    const handle = down.currentTarget;
    const frame = handle.parentElement?.getBoundingClientRect();
    if (!frame) return;
    down.preventDefault();
    handle.setPointerCapture(down.pointerId);
    const move = (event: globalThis.PointerEvent) =>
      onShare(bounded((event.clientX - frame.left) / frame.width));
    handle.addEventListener('pointermove', move);
    handle.addEventListener(
      'lostpointercapture',
      () => handle.removeEventListener('pointermove', move),
      { once: true },
    );
  };
  const press = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowLeft' ? -0.05 : event.key === 'ArrowRight' ? 0.05 : 0;
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    onShare(bounded(share + step));
  };
  return (
    <div
      className={styles['handle']}
      role="separator"
      aria-orientation="vertical"
      aria-label={t('study.resize_split')}
      aria-valuenow={Math.round(share * 100)}
      tabIndex={0}
      onPointerDown={drag}
      onKeyDown={press}
    />
  );
}
