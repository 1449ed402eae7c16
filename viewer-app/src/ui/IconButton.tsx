import { Tooltip } from 'antd';
import type { ReactNode } from 'react';
import styles from './IconButton.module.css';

interface Props {
  /** Said to screen readers and shown on hover. */
  readonly label: string;
  readonly icon: ReactNode;
  readonly onClick?: () => void;
  /** Key that does the same, shown in the hint. */
  readonly hotkey?: string;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
  readonly placement?: 'bottom' | 'top' | 'right' | 'left';
}

/** A square button with a picture, always with a name. */
export function IconButton(props: Props) {
  const { label, icon, onClick, hotkey, pressed, disabled, placement = 'bottom' } = props;
  const hint = hotkey ? (
    <>
      {label} <kbd className={styles['key']}>{hotkey}</kbd>
    </>
  ) : (
    label
  );
  return (
    <Tooltip title={hint} placement={placement} mouseEnterDelay={0.4}>
      <button
        type="button"
        className={styles['button']}
        aria-label={label}
        aria-pressed={pressed}
        aria-keyshortcuts={hotkey}
        disabled={disabled}
        onClick={onClick}
      >
        {icon}
      </button>
    </Tooltip>
  );
}
