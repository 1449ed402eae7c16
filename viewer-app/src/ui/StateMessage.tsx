import { Button } from 'antd';
import type { ReactNode } from 'react';
import styles from './StateMessage.module.css';

interface Props {
  readonly icon: ReactNode;
  readonly title: string;
  readonly children?: ReactNode;
  readonly action?: { readonly label: string; readonly onClick: () => void };
  readonly secondary?: { readonly label: string; readonly onClick: () => void };
  /** `alert` for failures, so that screen readers speak at once. */
  readonly role?: 'alert' | 'status';
  readonly compact?: boolean;
}

/** Tells what happened and what to do next, in place of content. */
export function StateMessage(props: Props) {
  const { icon, title, children, action, secondary, role = 'status', compact = false } = props;
  return (
    <div className={styles['box']} role={role} data-compact={compact}>
      <div className={styles['icon']} aria-hidden>
        {icon}
      </div>
      <h2 className={styles['title']}>{title}</h2>
      {children ? <p className={styles['text']}>{children}</p> : null}
      {action || secondary ? (
        <div className={styles['actions']}>
          {action ? (
            <Button type="primary" onClick={action.onClick}>
              {action.label}
            </Button>
          ) : null}
          {secondary ? <Button onClick={secondary.onClick}>{secondary.label}</Button> : null}
        </div>
      ) : null}
    </div>
  );
}
