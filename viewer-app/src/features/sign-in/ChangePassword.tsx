import { LockOutlined } from '@ant-design/icons';
import { Button, Form, Input } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Session } from '@/api';
import { ApiError } from '@/api';
import { Door } from './Door';
import { useChangePasswordRequest } from './sign-in.api';
import styles from './SignIn.module.css';

interface Props {
  readonly languageSwitch: ReactNode;
  readonly onChanged: (session: Session) => void;
  readonly onLeave: () => void;
}

interface Fields {
  current: string;
  wanted: string;
  repeated: string;
}

/** An own password in place of one that has expired or came from an administrator. */
export function ChangePassword({ languageSwitch, onChanged, onLeave }: Props) {
  const { t } = useTranslation();
  const request = useChangePasswordRequest(onChanged);
  const required = { required: true, message: t('change_password.required') };

  function failureText(error: unknown): string {
    if (!(error instanceof ApiError)) return t('change_password.other', { code: 'client' });
    if (error.code === 'bad_credentials') return t('change_password.wrong');
    if (error.code === 'weak_password') return t('change_password.weak');
    if (error.status === 0) return t('sign_in.network');
    return t('change_password.other', { code: `${error.status} ${error.code}` });
  }

  return (
    <Door
      title={t('change_password.title')}
      lead={t('change_password.lead')}
      languageSwitch={languageSwitch}
      failure={request.error ? failureText(request.error) : null}
    >
      <Form<Fields>
        layout="vertical"
        size="large"
        requiredMark={false}
        onFinish={({ current, wanted }) => request.mutate({ current, wanted })}
      >
        <Form.Item name="current" label={t('change_password.current')} rules={[required]}>
          <Input.Password prefix={<LockOutlined />} autoComplete="current-password" autoFocus />
        </Form.Item>
        <Form.Item
          name="wanted"
          label={t('change_password.wanted')}
          extra={t('change_password.rule')}
          rules={[required]}
        >
          <Input.Password prefix={<LockOutlined />} autoComplete="new-password" maxLength={256} />
        </Form.Item>
        <Form.Item
          name="repeated"
          label={t('change_password.repeated')}
          dependencies={['wanted']}
          rules={[
            required,
            ({ getFieldValue }) => ({
              validator: async (_rule, value: string | undefined) => {
                if (value && value !== getFieldValue('wanted')) {
                  throw new Error(t('change_password.differs'));
                }
              },
            }),
          ]}
        >
          <Input.Password prefix={<LockOutlined />} autoComplete="new-password" maxLength={256} />
        </Form.Item>
        <Button
          type="primary"
          htmlType="submit"
          block
          loading={request.isPending}
          className={styles['submit']}
        >
          {t('change_password.submit')}
        </Button>
        <Button type="text" block onClick={onLeave}>
          {t('user.sign_out')}
        </Button>
      </Form>
    </Door>
  );
}
