import { LockOutlined, UserOutlined } from '@ant-design/icons';
import { Button, Form, Input } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Session } from '@/api';
import { ApiError } from '@/api';
import { Door } from './Door';
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
    <Door
      title={t('sign_in.title')}
      lead={t('sign_in.lead')}
      languageSwitch={languageSwitch}
      failure={failure}
      hint={expired ? t('sign_in.expired') : undefined}
    >
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
          <Input
            prefix={<UserOutlined />}
            autoComplete="username"
            maxLength={128}
            autoFocus
            spellCheck={false}
          />
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
    </Door>
  );
}
