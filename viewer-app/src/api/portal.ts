import { request } from './http';
import type { paths } from './schema';

type Method = 'get' | 'post' | 'put' | 'delete';
type Json<T> = { readonly content: { readonly 'application/json': T } };

/** The paths that know a method. */
type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

type Given<Operation> = { readonly signal?: AbortSignal } & (Operation extends {
  parameters: { path: infer Params };
}
  ? { readonly params: Params }
  : unknown) &
  (Operation extends { requestBody: Json<infer Body> } ? { readonly body: Body } : unknown);

type Answer<Operation> = Operation extends { responses: { 200: Json<infer Body> } } ? Body : undefined;

/** Where an operation is, with the parameters of its path filled in. */
export function address<P extends PathOf<'get'>>(
  path: P,
  params: paths[P]['get']['parameters']['path'],
): string {
  return fill(path, params as Readonly<Record<string, string>> | undefined);
}

function fill(path: string, params: Readonly<Record<string, string>> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

/** Calls an operation of the portal; what goes in and comes out is as `schema.d.ts` says. */
export async function call<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  given: Given<paths[P][M]>,
): Promise<Answer<paths[P][M]>> {
  const { params, body, signal } = given as {
    params?: Readonly<Record<string, string>>;
    body?: unknown;
    signal?: AbortSignal;
  };
  const headers = new Headers({ Accept: 'application/json' });
  if (body !== undefined) headers.set('Content-Type', 'application/json');
  const response = await request(fill(path, params), {
    method: method.toUpperCase(),
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  const answer: unknown = response.status === 204 ? undefined : await response.json();
  return answer as Answer<paths[P][M]>;
}
