import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import '@/i18n';
import { zhCN } from '@/i18n/zh-CN';
import { ChangePassword } from './ChangePassword';

const words = zhCN.change_password;
const server = vi.fn<typeof fetch>();
const onChanged = vi.fn();

function answer(status: number, body: unknown): void {
  server.mockResolvedValueOnce(
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } }),
  );
}

async function submit(repeated: string): Promise<void> {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <ChangePassword languageSwitch={null} onChanged={onChanged} onLeave={vi.fn()} />
    </QueryClientProvider>,
  );
  const user = userEvent.setup();
  await user.type(screen.getByLabelText(words.current), 'old');
  await user.type(screen.getByLabelText(words.wanted), 'New-1');
  await user.type(screen.getByLabelText(words.repeated), repeated);
  await user.click(screen.getByRole('button', { name: words.submit }));
}

beforeEach(() => {
  server.mockReset();
  onChanged.mockReset();
  vi.stubGlobal('fetch', server);
});

it('sends both passwords in the body and hands the renewed session over', async () => {
  answer(200, { user: 'doctor', roles: ['clinician'], csrf: 'x' });
  await submit('New-1');
  await vi.waitFor(() => expect(onChanged).toHaveBeenCalled());
  const [url, init] = server.mock.calls[0]!;
  expect([init?.method, url]).toEqual(['PUT', '/api/v1/session/password']);
  expect(JSON.parse(String(init?.body))).toEqual({ current: 'old', new: 'New-1' });
});

it('asks nothing of the server while the new passwords differ', async () => {
  await submit('New-2');
  expect(await screen.findByText(words.differs)).toBeTruthy();
  expect(server).not.toHaveBeenCalled();
});

it.each([
  [401, 'bad_credentials', words.wrong],
  [400, 'weak_password', words.weak],
])('tells %i %s in plain words', async (status, code, said) => {
  answer(status, { title: 'no', status, code });
  await submit('New-1');
  expect((await screen.findByRole('alert')).textContent).toContain(said);
  expect(onChanged).not.toHaveBeenCalled();
});
