import { useEffect, useState } from 'react';
import { create } from 'zustand';
import type { Filters } from './filters';
import { INITIAL, toSearch } from './filters';
import { useStudies } from './worklist.api';

interface FilterStore {
  readonly owner: string;
  readonly filters: Filters;
  adopt(owner: string): void;
  change(change: Partial<Filters>): void;
  clear(): void;
}

const useFilterStore = create<FilterStore>()((set) => ({
  owner: '',
  filters: INITIAL,
  // What one person searched for must not greet the next at the same desk.
  adopt: (owner) => set((state) => (state.owner === owner ? state : { owner, filters: INITIAL })),
  change: (change) =>
    set(({ filters }) => ({ filters: { ...filters, page: 1, ...change } })),
  clear: () => set(({ filters }) => ({ filters: { ...INITIAL, pageSize: filters.pageSize } })),
}));

const TYPING_MS = 300;

function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** The list's conditions and the page of examinations that meets them. */
export function useWorklist(owner: string) {
  const { filters, adopt, change, clear } = useFilterStore();
  useEffect(() => adopt(owner), [adopt, owner]);
  const name = useSettled(filters.name);
  const patientId = useSettled(filters.patientId);
  const accession = useSettled(filters.accession);
  const query = useStudies(toSearch({ ...filters, name, patientId, accession }));
  return { filters, change, clear, query };
}
