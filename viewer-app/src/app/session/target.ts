/**
 * Where to go after signing in. Only paths of this application: an address that could lead
 * elsewhere (`//host`, `https:`) would turn the sign-in page into a phishing aid.
 */
export function safeTarget(target: unknown): string {
  if (typeof target !== 'string' || !/^\/(?![/\\])/.test(target)) return '/';
  return target.startsWith('/sign-in') ? '/' : target;
}
