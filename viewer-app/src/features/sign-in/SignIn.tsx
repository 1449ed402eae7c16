import { LockOutlined, SafetyCertificateOutlined, UserOutlined } from '@ant-design/icons';
import { Alert, Button, Form, Input } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Session } from '@/api';
import { ApiError } from '@/api';
import { Logo } from '@/ui';
import { Backdrop } from './Backdrop';
import { useSignInRequest } from './sign-in.api';
import styles from './SignIn.module.css';

interface Props {
  /** Whether the visitor was sent here because a session ended. */
  readonly expired: boolean;
  readonly languageSwitch: ReactNode;
  readonly onSignedIn: (session: Session) => void;
}

interface Fields {
  user: string;
  password: string;
}

/** User name and password, with a plain word when they are refused. */
export function SignIn({ expired, languageSwitch, onSignedIn }: Props) {
  const { t } = useTranslation();
  const request = useSignInRequest(onSignedIn);
  const failure = request.error ? failureText(request.error) : null;

  function failureText(error: unknown): string {
    if (!(error instanceof ApiError)) return t('sign_in.other', { code: 'client' });
    if (error.code === 'account_locked') return t('sign_in.account_locked');
    if (error.status === 401) return t('sign_in.bad_credentials');
    if (error.status === 0) return t('sign_in.network');
    return t('sign_in.other', { code: `${error.status} ${error.code}` });
  }

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
          <h1 className={styles['title']}>{t('sign_in.title')}</h1>
          <p className={styles['lead']}>{t('sign_in.lead')}</p>
          {failure ? (
            <Alert type="error" showIcon title={failure} className={styles['alert']} role="alert" />
          ) : expired ? (
            <Alert type="info" showIcon title={t('sign_in.expired')} className={styles['alert']} />
          ) : null}
          <Form<Fields>
            layout="vertical"
            size="large"
            requiredMark={false}
            onFinish={(fields) =>
              request.mutate({ user: fields.user.trim(), password: fields.password })
            }
          >
            <Form.Item
              name="user"
              label={t('sign_in.user')}
              rules={[{ required: true, whitespace: true, message: t('sign_in.user_required') }]}
            >
              <Input prefix={<UserOutlined />} autoComplete="username" autoFocus spellCheck={false} />
            </Form.Item>
            <Form.Item
              name="password"
              label={t('sign_in.password')}
              rules={[{ required: true, message: t('sign_in.password_required') }]}
            >
              <Input.Password prefix={<LockOutlined />} autoComplete="current-password" />
            </Form.Item>
            <Button
              type="primary"
              htmlType="submit"
              block
              loading={request.isPending}
              className={styles['submit']}
            >
              {t('sign_in.submit')}
            </Button>
          </Form>
          <p className={styles['notice']}>
            <SafetyCertificateOutlined aria-hidden /> {t('sign_in.notice')}
          </p>
        </div>
      </main>
    </div>
  );
}
