import { useMutation } from '@tanstack/react-query';
import type { Session } from '@/api';
import { changePassword, signIn } from '@/api';

/** Opens a session with user name and password. */
export function useSignInRequest(onSignedIn: (session: Session) => void) {
  return useMutation({
    mutationFn: ({ user, password }: { user: string; password: string }) => signIn(user, password),
    onSuccess: onSignedIn,
    gcTime: 0, // the variables hold a password; keep them no longer than needed
  });
}

/** Replaces the own password. */
export function useChangePasswordRequest(onChanged: (session: Session) => void) {
  return useMutation({
    mutationFn: ({ current, wanted }: { current: string; wanted: string }) =>
      changePassword(current, wanted),
    onSuccess: onChanged,
    gcTime: 0, // as above
  });
}
