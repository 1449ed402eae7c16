import { useTranslation } from 'react-i18next';
import styles from './Worklist.module.css';

interface Props {
  readonly query: {
    readonly dataUpdatedAt: number;
    readonly isError: boolean;
    readonly isRefetchError: boolean;
    readonly errorUpdatedAt: number;
  };
}

const two = (value: number) => String(value).padStart(2, '0');

function clock(time: number): string {
  const at = new Date(time);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Says that the list refreshes itself, when it last did, and plainly when that failed. */
export function LiveMark({ query }: Props) {
  const { t } = useTranslation();
  if (!query.dataUpdatedAt) return <span />;
  const stale = query.isRefetchError || (query.isError && query.errorUpdatedAt > query.dataUpdatedAt);
  const time = clock(query.dataUpdatedAt);
  return (
    <span className={`${styles['live']} num`} data-stale={stale} title={t('worklist.live')}>
      {stale ? t('worklist.stale', { time }) : t('worklist.updated', { time })}
    </span>
  );
}
