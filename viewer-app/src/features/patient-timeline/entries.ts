import type { DocumentRow, StudyRow, Timeline } from '@/api';

/** What the timeline is narrowed to. */
export type TimelineFilter = 'all' | 'studies' | 'documents';

/** One thing that happened to the patient. */
export type TimelineEntry =
  | { readonly kind: 'study'; readonly key: string; readonly time: string | null; readonly study: StudyRow }
  | {
      readonly kind: 'document';
      readonly key: string;
      readonly time: string | null;
      readonly document: DocumentRow;
    };

/** A line of the list: a year's heading or an entry. */
export type TimelineLine =
  | { readonly kind: 'year'; readonly key: string; readonly year: string | null; readonly count: number }
  | TimelineEntry;

/** Studies and documents in one row of time, newest first; undated ones last. */
export function entriesOf(timeline: Timeline, filter: TimelineFilter): readonly TimelineEntry[] {
  const studies = timeline.studies.map(
    (study): TimelineEntry => ({ kind: 'study', key: study.study_uid, time: study.study_datetime, study }),
  );
  const documents = timeline.documents.map(
    (document): TimelineEntry => ({
      kind: 'document',
      key: document.entry_uuid,
      time: document.creation_time,
      document,
    }),
  );
  const wanted = [
    ...(filter === 'documents' ? [] : studies),
    ...(filter === 'studies' ? [] : documents),
  ];
  return wanted.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''));
}

/** Entries with a heading before each year. */
export function linesOf(entries: readonly TimelineEntry[]): readonly TimelineLine[] {
  const years = new Map<string | null, TimelineEntry[]>();
  for (const entry of entries) {
    const year = entry.time?.slice(0, 4) ?? null;
    years.set(year, [...(years.get(year) ?? []), entry]);
  }
  return [...years].flatMap(([year, group]): TimelineLine[] => [
    { kind: 'year', key: `year-${year ?? 'none'}`, year, count: group.length },
    ...group,
  ]);
}
