import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import '@/i18n';
import { zhCN } from '@/i18n/zh-CN';
import { Worklist } from './Worklist';

const server = vi.fn<typeof fetch>();
const onOpen = vi.fn();
const row = {
  study_uid: '1.2.3',
  patient_key: 'k1',
  patient_name: 'TEST^ALPHA',
  patient_name_ideographic: '测试甲',
  patient_id: 'P100001',
  patient_sex: 'F',
  patient_birth_date: '1968-03-12',
  accession_number: 'A1',
  study_datetime: '2026-11-24T10:32:05',
  study_description: '胸部CT平扫',
  modalities: ['CT'],
  body_parts: ['CHEST'],
  status: 'published',
  series_count: 2,
  instance_count: 72,
  received_at: '2026-11-24T10:36:00',
};

function answer(status: number, body: unknown): void {
  server.mockImplementation(() =>
    Promise.resolve(
      new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } }),
    ),
  );
}

function show(): void {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <Worklist owner={crypto.randomUUID()} hrefOf={(uid) => `/studies/${uid}`} onOpen={onOpen} />
    </QueryClientProvider>,
  );
}

beforeEach(() => {
  server.mockReset();
  onOpen.mockReset();
  vi.stubGlobal('fetch', server);
});

it('shows the eight demanded columns and opens a study', async () => {
  answer(200, { total: 1, items: [row] });
  show();
  const link = await screen.findByRole('link', { name: /测试甲/ });
  for (const key of ['name', 'sex', 'age', 'patient_id', 'time', 'type', 'body', 'status'] as const) {
    expect(screen.getAllByText(zhCN.worklist.column[key]).length).toBeGreaterThan(0);
  }
  for (const value of ['女', '58岁', 'P100001', '2026-11-24 10:32', 'CT', '胸部', '已发布', '2 / 72']) {
    expect(screen.getAllByText(value).length).toBeGreaterThan(0);
  }
  expect(link.getAttribute('href')).toBe('/studies/1.2.3');
  await userEvent.click(link);
  expect(onOpen).toHaveBeenCalledExactlyOnceWith('1.2.3');
});

it('searches by name in the body, never in the address', async () => {
  answer(200, { total: 0, items: [] });
  show();
  await screen.findByText(zhCN.worklist.empty_all);
  await userEvent.type(screen.getByLabelText(zhCN.worklist.filter.name), 'csj');
  await screen.findByText(zhCN.worklist.empty_filtered);
  await vi.waitFor(() => {
    const [url, init] = server.mock.calls.at(-1)!;
    expect(url).toBe('/api/v1/studies/search');
    expect(JSON.parse(String(init?.body))).toMatchObject({ name: 'csj', offset: 0 });
  });
});

it('says why nothing is there when the server refuses', async () => {
  answer(403, { title: 'no', code: 'forbidden' });
  show();
  expect((await screen.findByRole('alert')).textContent).toContain(zhCN.state.forbidden);
});
