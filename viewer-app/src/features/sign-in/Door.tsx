import { SafetyCertificateOutlined } from '@ant-design/icons';
import { Alert } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Logo } from '@/ui';
import { Backdrop } from './Backdrop';
import styles from './SignIn.module.css';

interface Props {
  readonly title: string;
  readonly lead: string;
  readonly languageSwitch: ReactNode;
  /** What went wrong, in plain words. */
  readonly failure: string | null;
  /** What else the visitor should know. */
  readonly hint?: string;
  /** The form. */
  readonly children: ReactNode;
}

/** The page before the application: who we are, and a card with one form. */
export function Door({ title, lead, languageSwitch, failure, hint, children }: Props) {
  const { t } = useTranslation();
  return (
    <div className={styles['page']}>
      <aside className={styles['story']}>
        <Backdrop />
        <div className={styles['storyText']}>
          <div className={styles['brand']}>
            <Logo size={40} />
            <div>
              <div className={styles['name']}>{t('app.name')}</div>
              <div className={styles['full']}>{t('app.full')}</div>
            </div>
          </div>
          <p className={styles['slogan']}>{t('sign_in.slogan')}</p>
          <ul className={styles['points']}>
            <li>{t('sign_in.points.a')}</li>
            <li>{t('sign_in.points.b')}</li>
            <li>{t('sign_in.points.c')}</li>
          </ul>
        </div>
      </aside>
      <main className={styles['door']}>
        <div className={styles['language']}>{languageSwitch}</div>
        <div className={styles['card']}>
          <div className={styles['smallBrand']}>
            <Logo size={36} />
            <span>{t('app.name')}</span>
          </div>
          <h1 className={styles['title']}>{title}</h1>
          <p className={styles['lead']}>{lead}</p>
          {failure ? (
            <Alert type="error" showIcon title={failure} className={styles['alert']} role="alert" />
          ) : hint ? (
            <Alert type="info" showIcon title={hint} className={styles['alert']} />
          ) : null}
          {children}
          <p className={styles['notice']}>
            <SafetyCertificateOutlined aria-hidden /> {t('sign_in.notice')}
          </p>
        </div>
      </main>
    </div>
  );
}
