import { queryOptions, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import type { QueryClient } from '@tanstack/react-query';
import type { Session } from '@/api';
import { readSession, signOut } from '@/api';

const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => readSession(signal),
  staleTime: Infinity,
  gcTime: Infinity,
});

/** The session, asked for once. */
export function ensureSession(queryClient: QueryClient): Promise<Session | null> {
  return queryClient.ensureQueryData(sessionQuery);
}

/** The session as far as it is known without asking. */
export function knownSession(queryClient: QueryClient): Session | null {
  return queryClient.getQueryData(sessionQuery.queryKey) ?? null;
}

/** Takes over a session that was just opened. */
export function adoptSession(queryClient: QueryClient, session: Session): void {
  queryClient.setQueryData(sessionQuery.queryKey, session);
}

/** Forgets everything read from the server, so that the next person sees nothing of it. */
export function forgetSession(queryClient: QueryClient): void {
  queryClient.clear();
  queryClient.setQueryData(sessionQuery.queryKey, null);
}

/** The signed-in person; only for pages behind the sign-in. */
export function useSession(): Session {
  const { data } = useSuspenseQuery(sessionQuery);
  // The router lets nobody in without a session; this covers the moment of leaving.
  return data ?? { user: '', display_name: '', roles: [], csrf: '', expires_at: '' };
}

/** Signs out on the server, then forgets here even if the server did not answer. */
export function useSignOut(afterwards: () => void): () => Promise<void> {
  const queryClient = useQueryClient();
  return async () => {
    try {
      await signOut();
    } finally {
      forgetSession(queryClient);
      afterwards();
    }
  };
}
