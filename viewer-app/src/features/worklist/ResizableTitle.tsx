import type { KeyboardEvent, PointerEvent, ThHTMLAttributes } from 'react';
import styles from './Worklist.module.css';

/** What a column hands to its heading so that it can be resized. */
export interface ResizeProps {
  readonly resizeLabel?: string;
  readonly resizeWidth?: number;
  readonly onResizeWidth?: (width: number) => void;
}

const STEP = 16;

/** A table heading with a handle at its right edge, for pointer and keyboard. */
export function ResizableTitle(props: ThHTMLAttributes<HTMLTableCellElement> & ResizeProps) {
  const { resizeLabel, resizeWidth, onResizeWidth, children, ...rest } = props;
  if (!onResizeWidth || resizeWidth === undefined) return <th {...rest}>{children}</th>;

  const drag = (down: PointerEvent<HTMLSpanElement>) => {
    down.preventDefault();
    const handle = down.currentTarget;
    const startX = down.clientX;
    handle.setPointerCapture(down.pointerId);
    const move = (event: globalThis.PointerEvent) =>
      onResizeWidth(resizeWidth + event.clientX - startX);
    handle.addEventListener('pointermove', move);
    handle.addEventListener('lostpointercapture', () => handle.removeEventListener('pointermove', move), {
      once: true,
    });
  };
  const press = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? STEP : event.key === 'ArrowLeft' ? -STEP : 0;
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    onResizeWidth(resizeWidth + step);
  };
  return (
    <th {...rest}>
      {children}
      <span
        className={styles['handle']}
        role="separator"
        aria-orientation="vertical"
        aria-label={resizeLabel}
        aria-valuenow={resizeWidth}
        tabIndex={0}
        onPointerDown={drag}
        onKeyDown={press}
        onClick={(event) => event.stopPropagation()}
      />
    </th>
  );
}
