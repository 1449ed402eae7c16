import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import '@/i18n';
import { zhCN } from '@/i18n/zh-CN';
import { SignIn } from './SignIn';

const server = vi.fn<typeof fetch>();
const onSignedIn = vi.fn();

function answer(status: number, body: unknown): void {
  server.mockResolvedValueOnce(
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } }),
  );
}

async function submit(): Promise<void> {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <SignIn expired={false} languageSwitch={null} onSignedIn={onSignedIn} />
    </QueryClientProvider>,
  );
  const user = userEvent.setup();
  await user.type(screen.getByLabelText(zhCN.sign_in.user), ' doctor ');
  await user.type(screen.getByLabelText(zhCN.sign_in.password), 'secret');
  await user.click(screen.getByRole('button', { name: /登/ }));
}

beforeEach(() => {
  server.mockReset();
  onSignedIn.mockReset();
  vi.stubGlobal('fetch', server);
});

describe('SignIn', () => {
  it('sends the credentials in the body and hands the session over', async () => {
    answer(200, { user: 'doctor', roles: ['clinician'], csrf: 'x' });
    await submit();
    await vi.waitFor(() => expect(onSignedIn).toHaveBeenCalled());
    const [url, init] = server.mock.calls[0]!;
    expect(url).toBe('/api/v1/session');
    expect(JSON.parse(String(init?.body))).toEqual({ user: 'doctor', password: 'secret' });
  });

  it.each([
    [401, 'bad_credentials', zhCN.sign_in.bad_credentials],
    [401, 'account_locked', zhCN.sign_in.account_locked],
  ])('tells %i %s in plain words', async (status, code, words) => {
    answer(status, { title: 'no', status, code });
    await submit();
    expect((await screen.findByRole('alert')).textContent).toContain(words);
    expect(onSignedIn).not.toHaveBeenCalled();
  });

  it('tells when there is no server', async () => {
    server.mockRejectedValueOnce(new TypeError('failed'));
    await submit();
    expect((await screen.findByRole('alert')).textContent).toContain(zhCN.sign_in.network);
  });
});
