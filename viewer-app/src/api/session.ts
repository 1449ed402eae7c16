import type { Session } from './contract';
import { ApiError, getJson, postJson, rememberCsrf, request } from './http';

const PATH = '/api/v1/session';

/** Opens a session; the cookie is HttpOnly, so only the CSRF token reaches us. */
export async function signIn(user: string, password: string): Promise<Session> {
  const session = await postJson<Session>(PATH, { user, password });
  rememberCsrf(session.csrf);
  return session;
}

/** The present session, or null when nobody is signed in. */
export async function readSession(signal?: AbortSignal): Promise<Session | null> {
  try {
    const session = await getJson<Session>(PATH, signal);
    rememberCsrf(session.csrf);
    return session;
  } catch (reason) {
    if (reason instanceof ApiError && reason.status === 401) return null;
    throw reason;
  }
}

/** Ends the session on the server. */
export async function signOut(): Promise<void> {
  await request(PATH, { method: 'DELETE' });
  rememberCsrf('');
}
