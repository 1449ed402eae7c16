import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError } from '@/api';

let onUnauthorized: () => void = () => undefined;

/** Says what to do when the server no longer knows the session. */
export function whenUnauthorized(handler: () => void): void {
  onUnauthorized = handler;
}

/** Tells the shell that the session has ended. */
export function reportUnauthorized(): void {
  onUnauthorized();
}

const watch = (error: unknown) => {
  if (!(error instanceof ApiError)) return;
  // A wrong password is also 401, but there the user is signing in, not out.
  const trying = error.code === 'bad_credentials' || error.code === 'account_locked';
  // A password that runs out while its owner works: signing in again leads to a new one.
  const ranOut = error.code === 'password_must_change';
  if ((error.status === 401 && !trying) || ranOut) reportUnauthorized();
};

const hopeless = (error: unknown) =>
  error instanceof ApiError && error.status >= 400 && error.status < 500;

/** Server state of the whole application. */
export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError: watch }),
  mutationCache: new MutationCache({ onError: watch }),
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (count, error) => count < 1 && !hopeless(error),
      refetchOnWindowFocus: false,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
});
