import { DownOutlined, GlobalOutlined, LogoutOutlined } from '@ant-design/icons';
import { useNavigate } from '@tanstack/react-router';
import { Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import { changeLanguage } from '@/i18n';
import { sayRole } from '@/i18n/words';
import { useSession, useSignOut } from '../session';
import styles from './Shell.module.css';

/** Who is signed in, the language, and the way out. */
export function UserMenu({ compact = false }: { compact?: boolean }) {
  const { t, i18n } = useTranslation();
  const session = useSession();
  const navigate = useNavigate();
  const signOut = useSignOut(() => void navigate({ to: '/sign-in', search: {}, replace: true }));
  const other = i18n.language === 'en' ? 'zh-CN' : 'en';
  const roles = session.roles.map((role) => sayRole(t, role)).join(' · ');
  return (
    <Dropdown
      trigger={['click']}
      placement="bottomRight"
      menu={{
        items: [
          {
            key: 'who',
            type: 'group',
            label: (
              <div className={styles['who']}>
                <strong>{session.display_name}</strong>
                <span>{roles}</span>
              </div>
            ),
          },
          { type: 'divider' },
          {
            key: 'language',
            icon: <GlobalOutlined />,
            label: other === 'en' ? 'English' : '中文',
            onClick: () => changeLanguage(other),
          },
          {
            key: 'sign-out',
            icon: <LogoutOutlined />,
            label: t('user.sign_out'),
            onClick: () => void signOut(),
          },
        ],
      }}
    >
      <button type="button" className={styles['user']} aria-label={t('user.menu')}>
        <span className={styles['avatar']} aria-hidden>
          {session.display_name.slice(0, 1)}
        </span>
        {compact ? null : <span className={styles['username']}>{session.display_name}</span>}
        <DownOutlined className={styles['caret']} aria-hidden />
      </button>
    </Dropdown>
  );
}
