import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { StudySearch } from '@/api';
import { searchStudies } from '@/api';

const REFRESH_MS = 5_000;

/** One page of examinations, asked for again every few seconds while the page is visible. */
export function useStudies(search: StudySearch) {
  return useQuery({
    queryKey: ['studies', search],
    queryFn: ({ signal }) => searchStudies(search, signal),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
    refetchOnWindowFocus: 'always',
    staleTime: 0,
    gcTime: 60_000,
  });
}
