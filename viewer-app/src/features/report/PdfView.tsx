import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Spinner } from '@/ui';
import styles from './Report.module.css';
import { TurningBar } from './TurningBar';
import { usePdf, usePdfPage } from './usePdf';
import { useTurning } from './useTurning';
import { useWidth } from './useWidth';

interface Props {
  readonly bytes: ArrayBuffer;
  readonly onBroken: () => void;
}

const MARGIN = 32;
const WIDEST = 1100;

/** A PDF, page by page. */
export function PdfView({ bytes, onBroken }: Props) {
  const { t } = useTranslation();
  const pdf = usePdf(bytes, onBroken);
  const turning = useTurning();
  const [page, setPage] = useState(1);
  const scroller = useRef<HTMLDivElement>(null);
  const width = Math.min(WIDEST, useWidth(scroller) - MARGIN);
  const { canvas, words } = usePdfPage(pdf, {
    number: page,
    width,
    scale: turning.scale,
    rotation: turning.rotation,
  });
  const count = pdf?.numPages ?? 0;
  const goTo = (wanted: number) => {
    setPage(Math.min(count, Math.max(1, wanted)));
    scroller.current?.scrollTo({ top: 0 });
  };
  return (
    <>
      <TurningBar turning={turning} pages={{ page, count, goTo }} />
      <div
        className={styles['desk']}
        ref={scroller}
        tabIndex={0}
        role="group"
        aria-label={t('report.page_label', { number: page })}
        onKeyDown={(event) => {
          if (event.key === 'PageDown' || event.key === 'ArrowRight') goTo(page + 1);
          else if (event.key === 'PageUp' || event.key === 'ArrowLeft') goTo(page - 1);
          else return;
          event.preventDefault();
        }}
      >
        {pdf ? null : <Spinner label={t('report.loading')} shown />}
        <div className={styles['sheet']} hidden={!pdf}>
          <canvas ref={canvas} aria-hidden />
          <div ref={words} className={styles['pdfText']} />
        </div>
      </div>
    </>
  );
}
