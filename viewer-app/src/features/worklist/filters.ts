import type { DatePreset, SortField, StudySearch } from '@/api';

/** The date choices of the list: the server's presets, no limit, or two days. */
export type DateChoice = DatePreset | 'all' | 'custom';

/** What the reader has asked for. Lives in memory only: it holds names and numbers. */
export interface Filters {
  readonly date: DateChoice;
  readonly from: string | null;
  readonly to: string | null;
  readonly name: string;
  readonly patientId: string;
  readonly accession: string;
  readonly modalities: readonly string[];
  readonly sort: SortField;
  readonly descending: boolean;
  readonly page: number;
  readonly pageSize: number;
}

/** How the list opens. */
export const INITIAL: Filters = {
  date: 'all',
  from: null,
  to: null,
  name: '',
  patientId: '',
  accession: '',
  modalities: [],
  sort: 'study_datetime',
  descending: true,
  page: 1,
  pageSize: 20,
};

/** Order in which date choices are offered. */
export const DATE_CHOICES: readonly DateChoice[] = ['today', 'yesterday', '3d', '7d', 'all', 'custom'];

/** Kinds of examination offered as a filter. */
export const MODALITIES = ['CT', 'MR', 'DX', 'CR', 'US', 'XA', 'MG', 'ES', 'PT', 'NM', 'ECG', 'SM'] as const;

/** Whether anything but order and page differs from the opening state. */
export function isFiltered(filters: Filters): boolean {
  return (
    filters.date !== 'all' ||
    filters.name.trim() !== '' ||
    filters.patientId.trim() !== '' ||
    filters.accession.trim() !== '' ||
    filters.modalities.length > 0
  );
}

/** The request body; empty conditions are left out. */
export function toSearch(filters: Filters): StudySearch {
  const text = (value: string) => value.replaceAll('\t', ' ').trim() || undefined;
  const custom = filters.date === 'custom';
  return {
    name: text(filters.name),
    patient_id: text(filters.patientId),
    accession_number: text(filters.accession),
    modalities: filters.modalities.length ? filters.modalities : undefined,
    preset: custom || filters.date === 'all' ? undefined : (filters.date as DatePreset),
    date_from: custom ? (filters.from ?? undefined) : undefined,
    date_to: custom ? (filters.to ?? undefined) : undefined,
    sort: filters.sort,
    descending: filters.descending,
    offset: (filters.page - 1) * filters.pageSize,
    limit: filters.pageSize,
  };
}
