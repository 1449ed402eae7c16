import { expect, it } from 'vitest';
import type { DocumentRow, StudyRow } from '@/api';
import { entriesOf, linesOf } from './entries';

const timeline = {
  studies: [
    { study_uid: 's1', study_datetime: '2024-05-01T08:00:00' },
    { study_uid: 's2', study_datetime: null },
    { study_uid: 's3', study_datetime: '2026-01-02T08:00:00' },
  ] as StudyRow[],
  documents: [{ entry_uuid: 'd1', creation_time: '2026-01-03T08:00:00' }] as DocumentRow[],
};

it('orders studies and documents together, newest first, undated last', () => {
  expect(entriesOf(timeline, 'all').map((entry) => entry.key)).toEqual(['d1', 's3', 's1', 's2']);
  expect(entriesOf(timeline, 'documents').map((entry) => entry.key)).toEqual(['d1']);
  expect(entriesOf(timeline, 'studies')).toHaveLength(3);
});

it('puts a heading before each year', () => {
  const lines = linesOf(entriesOf(timeline, 'all'));
  expect(lines.map((line) => (line.kind === 'year' ? `${line.year}:${line.count}` : line.key))).toEqual([
    '2026:2', 'd1', 's3', '2024:1', 's1', 'null:1', 's2',
  ]);
});
