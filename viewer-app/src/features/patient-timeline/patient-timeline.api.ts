import { useQuery } from '@tanstack/react-query';
import { readTimeline } from '@/api';

/** Everything known of one patient. */
export function useTimelineRequest(patientKey: string | undefined) {
  return useQuery({
    queryKey: ['timeline', patientKey],
    queryFn: ({ signal }) => readTimeline(patientKey ?? '', signal),
    enabled: patientKey !== undefined,
    refetchInterval: 30_000,
    gcTime: 120_000,
  });
}
