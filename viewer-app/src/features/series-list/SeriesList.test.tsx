import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import '@/i18n';
import type { SeriesRow } from '@/api';
import { zhCN } from '@/i18n/zh-CN';
import { SeriesList } from './SeriesList';

const row = (series_uid: string, change: Partial<SeriesRow> = {}): SeriesRow => ({
  series_uid,
  modality: 'CT',
  series_number: 2,
  description: `series ${series_uid}`,
  body_part: '',
  instance_count: 48,
  sop_classes: [],
  viewable: 'image',
  representative: { sop_uid: `${series_uid}.24`, frames: 1 },
  ...change,
});

it('opens a series, marks the one on screen and refuses what cannot be shown', async () => {
  const onOpen = vi.fn();
  const list = [row('1.1'), row('1.2', { viewable: 'none' })];
  render(
    <SeriesList studyUid="1" series={list} displayed={['1.1']} dragType="x" onOpen={onOpen} />,
  );
  const [first, second] = screen.getAllByRole('button');
  expect(first?.getAttribute('aria-pressed')).toBe('true');
  expect((second as HTMLButtonElement).disabled).toBe(true);
  await userEvent.click(first!);
  expect(onOpen).toHaveBeenCalledWith(list[0]);
  expect(document.querySelector('img')?.getAttribute('src')).toBe(
    '/dicom-web/studies/1/series/1.1/instances/1.1.24/thumbnail',
  );
});

it('says so when nothing has arrived', () => {
  render(<SeriesList studyUid="1" series={[]} displayed={[]} dragType="x" onOpen={vi.fn()} />);
  expect(screen.getByText(zhCN.navigator.no_series)).toBeTruthy();
});
