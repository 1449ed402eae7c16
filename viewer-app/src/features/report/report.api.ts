import { useQuery } from '@tanstack/react-query';
import type { Content } from '@/api';
import { readDocument, readEncapsulated } from '@/api';

/** Where a document's bytes come from. */
export type ReportSource =
  | { readonly kind: 'registered'; readonly entryUuid: string }
  | {
      readonly kind: 'instance';
      readonly studyUid: string;
      readonly seriesUid: string;
      readonly sopUid: string;
    };

function read(source: ReportSource, signal: AbortSignal): Promise<Content> {
  return source.kind === 'registered'
    ? readDocument(source.entryUuid, signal)
    : readEncapsulated(source.studyUid, source.seriesUid, source.sopUid, signal);
}

/** The bytes of a document and their kind. */
export function useReportContent(source: ReportSource) {
  return useQuery({
    queryKey: ['document', source],
    queryFn: ({ signal }) => read(source, signal),
    staleTime: Infinity, // a registered document never changes
    gcTime: 60_000,
  });
}
