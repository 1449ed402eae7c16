import { useQueryClient } from '@tanstack/react-query';
import { useRouter, useSearch } from '@tanstack/react-router';
import { SignIn } from '@/features/sign-in';
import { adoptSession, safeTarget } from './session';
import { LanguageSwitch } from './shell/LanguageSwitch';

/** The door. */
export function SignInPage() {
  const queryClient = useQueryClient();
  const router = useRouter();
  const { to, expired } = useSearch({ from: '/sign-in' });
  return (
    <SignIn
      expired={expired === true}
      languageSwitch={<LanguageSwitch />}
      onSignedIn={(session) => {
        adoptSession(queryClient, session);
        router.history.replace(safeTarget(to));
      }}
    />
  );
}
