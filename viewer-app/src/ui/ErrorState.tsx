import {
  CloudServerOutlined,
  DisconnectOutlined,
  FileSearchOutlined,
  LockOutlined,
  WarningOutlined,
} from '@ant-design/icons';
import { useTranslation } from 'react-i18next';
import { ApiError } from '@/api';
import { StateMessage } from './StateMessage';

interface Props {
  readonly error: unknown;
  readonly onRetry?: () => void;
  readonly onHome?: () => void;
  readonly compact?: boolean;
}

/** Says in plain words why something did not load. */
export function ErrorState({ error, onRetry, onHome, compact }: Props) {
  const { t } = useTranslation();
  const status = error instanceof ApiError ? error.status : -1;
  const code = error instanceof ApiError ? `${error.status} ${error.code}` : 'client';
  const retry = onRetry ? { label: t('state.retry'), onClick: onRetry } : undefined;
  const home = onHome ? { label: t('state.home'), onClick: onHome } : undefined;
  const shared = { role: 'alert' as const, compact, secondary: home };
  if (status === 403) {
    return (
      <StateMessage {...shared} icon={<LockOutlined />} title={t('state.forbidden_title')}>
        {t('state.forbidden')}
      </StateMessage>
    );
  }
  if (status === 404) {
    return (
      <StateMessage {...shared} icon={<FileSearchOutlined />} title={t('state.not_found_title')}>
        {t('state.not_found')}
      </StateMessage>
    );
  }
  if (status === 0) {
    return (
      <StateMessage
        {...shared}
        icon={<DisconnectOutlined />}
        title={t('state.network_title')}
        action={retry}
      >
        {t('state.network')}
      </StateMessage>
    );
  }
  if ([502, 503, 504].includes(status)) {
    return (
      <StateMessage
        {...shared}
        icon={<CloudServerOutlined />}
        title={t('state.unavailable_title')}
        action={retry}
      >
        {t('state.unavailable')}
      </StateMessage>
    );
  }
  return (
    <StateMessage
      {...shared}
      icon={<WarningOutlined />}
      title={t('state.error_title')}
      action={retry}
    >
      {t('state.error', { code })}
    </StateMessage>
  );
}
