/** Who is signed in. */
export * from './session';
export { safeTarget } from './target';
