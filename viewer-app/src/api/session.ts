import type { Session } from './contract';
import { ApiError, rememberCsrf } from './http';
import { call } from './portal';

const PATH = '/api/v1/session';

function known(session: Session): Session {
  rememberCsrf(session.csrf);
  return session;
}

/** Opens a session; the cookie is HttpOnly, so only the CSRF token reaches us. */
export async function signIn(user: string, password: string): Promise<Session> {
  return known(await call('post', PATH, { body: { user, password } }));
}

/** The present session, or null when nobody is signed in. */
export async function readSession(signal?: AbortSignal): Promise<Session | null> {
  try {
    return known(await call('get', PATH, { signal }));
  } catch (reason) {
    if (reason instanceof ApiError && reason.status === 401) return null;
    throw reason;
  }
}

/** Changes the own password; every other session of the account ends. */
export async function changePassword(current: string, wanted: string): Promise<Session> {
  return known(await call('put', '/api/v1/session/password', { body: { current, new: wanted } }));
}

/** Ends the session on the server. */
export async function signOut(): Promise<void> {
  await call('delete', PATH, {});
  rememberCsrf('');
}
