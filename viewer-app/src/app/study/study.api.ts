import { useQuery } from '@tanstack/react-query';
import { readStudy } from '@/api';

const ARRIVING_MS = 5_000;

/** One study; asked for again while its images are still arriving. */
export function useStudy(studyUid: string) {
  return useQuery({
    queryKey: ['study', studyUid],
    queryFn: ({ signal }) => readStudy(studyUid, signal),
    refetchInterval: (query) =>
      query.state.data?.study.status === 'receiving' ? ARRIVING_MS : false,
    gcTime: 120_000,
  });
}
