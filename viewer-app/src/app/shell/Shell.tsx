import { IdcardOutlined } from '@ant-design/icons';
import { Link, Outlet } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { sayRole } from '@/i18n/words';
import { Logo, StateMessage } from '@/ui';
import { menuFor } from '../menu';
import { useSession } from '../session';
import { LanguageSwitch } from './LanguageSwitch';
import styles from './Shell.module.css';
import { UserMenu } from './UserMenu';

/** The frame of all pages but the study page: menu by role, language, account. */
export function Shell() {
  const { t } = useTranslation();
  const { roles } = useSession();
  const menu = menuFor(roles);
  return (
    <div className={styles['shell']}>
      <a className={styles['skip']} href="#main">
        {t('app.skip')}
      </a>
      <header className={styles['bar']}>
        <div className={styles['brand']}>
          <Logo />
          <span className={styles['name']}>{t('app.name')}</span>
          <span className={styles['full']}>{t('app.full')}</span>
        </div>
        <nav className={styles['menu']} aria-label={t('app.menu')}>
          {menu.map((entry) => (
            <Link key={entry.key} to={entry.to} className={styles['entry']}>
              {entry.icon}
              <span>{t(`menu.${entry.key}`)}</span>
            </Link>
          ))}
        </nav>
        <div className={styles['right']}>
          <LanguageSwitch />
          <UserMenu />
        </div>
      </header>
      <main id="main" className={styles['main']} tabIndex={-1}>
        {menu.length ? (
          <Outlet />
        ) : (
          <StateMessage icon={<IdcardOutlined />} title={t('state.no_workspace_title')}>
            {t('state.no_workspace', { roles: roles.map((role) => sayRole(t, role)).join('、') })}
          </StateMessage>
        )}
      </main>
    </div>
  );
}
