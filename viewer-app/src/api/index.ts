/** The only door to the server. */
export * from './contract';
export * from './dicomweb';
export * from './documents';
export { ApiError } from './http';
export * from './session';
export * from './studies';
