import type { Problem } from './contract';

/** A refusal of the server, or a failure to reach it, in one shape. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    /** HTTP status; 0 when no answer arrived. */
    readonly status: number,
    /** Stable code from problem+json, or one of ours: `network`, `http`. */
    readonly code: string,
    message: string,
    readonly detail = '',
  ) {
    super(message);
  }
}

let csrfToken = '';

/** Remembers the token that state-changing calls must carry. */
export function rememberCsrf(token: string): void {
  csrfToken = token;
}

const ATTENDED_MS = 60_000;
let touchedAt = Date.now();
for (const kind of ['pointerdown', 'pointermove', 'keydown', 'wheel'] as const) {
  window.addEventListener(kind, () => (touchedAt = Date.now()), { passive: true, capture: true });
}

async function refusal(response: Response): Promise<ApiError> {
  const kind = response.headers.get('Content-Type') ?? '';
  if (kind.includes('json')) {
    try {
      const problem = (await response.json()) as Readonly<Record<string, unknown>>;
      const text = (key: keyof Problem) => (typeof problem[key] === 'string' ? problem[key] : '');
      return new ApiError(response.status, text('code') || 'http', text('title'), text('detail'));
    } catch {
      // A broken error body must not hide the status.
    }
  }
  return new ApiError(response.status, 'http', response.statusText);
}

/** One request with the session cookie; throws ApiError for anything but success. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const method = init.method ?? 'GET';
  if (method !== 'GET' && csrfToken) headers.set('X-Pianku-Csrf', csrfToken);
  // The list refreshes itself: that must not keep a session alive that nobody uses (P-2).
  if (Date.now() - touchedAt > ATTENDED_MS) headers.set('X-Pianku-Unattended', '1');
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, credentials: 'same-origin' });
  } catch (reason) {
    if (reason instanceof DOMException && reason.name === 'AbortError') throw reason;
    throw new ApiError(0, 'network', 'No answer from the server');
  }
  if (!response.ok) throw await refusal(response);
  return response;
}
