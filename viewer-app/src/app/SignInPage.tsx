import { useQueryClient } from '@tanstack/react-query';
import { useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import type { Session } from '@/api';
import { ChangePassword, SignIn } from '@/features/sign-in';
import { adoptSession, knownSession, safeTarget, useSignOut } from './session';
import { LanguageSwitch } from './shell/LanguageSwitch';

/** The door; whose password must change does that before going in. */
export function SignInPage() {
  const queryClient = useQueryClient();
  const router = useRouter();
  const { to, expired } = useSearch({ from: '/sign-in' });
  const [session, setSession] = useState(() => knownSession(queryClient));
  const leave = useSignOut(() => setSession(null));

  function enter(opened: Session): void {
    adoptSession(queryClient, opened);
    if (opened.must_change_password) setSession(opened);
    else router.history.replace(safeTarget(to));
  }

  if (session?.must_change_password) {
    return (
      <ChangePassword
        languageSwitch={<LanguageSwitch />}
        onChanged={enter}
        onLeave={() => void leave()}
      />
    );
  }
  return (
    <SignIn expired={expired === true} languageSwitch={<LanguageSwitch />} onSignedIn={enter} />
  );
}
