import { useRouter } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ApiError } from '@/api';
import { ErrorState, Spinner } from '@/ui';
import styles from './PageStates.module.css';

/** While a page's code is on its way. */
export function PagePending() {
  const { t } = useTranslation();
  return (
    <div className={styles['page']}>
      <Spinner label={t('app.loading')} shown />
    </div>
  );
}

/** When a page could not be built at all. */
export function PageError({ error, reset }: { error: unknown; reset: () => void }) {
  const router = useRouter();
  const retry = () => {
    reset();
    void router.invalidate();
  };
  return (
    <div className={styles['page']}>
      <ErrorState error={error} onRetry={retry} />
    </div>
  );
}

/** For addresses nobody answers to. */
export function PageNotFound() {
  const router = useRouter();
  return (
    <div className={styles['page']}>
      <ErrorState
        error={new ApiError(404, 'not_found', '')}
        onHome={() => void router.navigate({ to: '/' })}
      />
    </div>
  );
}
