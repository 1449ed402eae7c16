import { beforeEach, describe, expect, it, vi } from 'vitest';
import { framePath, readSession, renderedPath, searchStudies, signIn, signOut, singlePart, thumbnailPath } from '.';
import { ApiError } from './http';

const server = vi.fn<typeof fetch>();
const json = (status: number, body: unknown, kind = 'application/json') =>
  new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { 'Content-Type': kind } });

beforeEach(() => {
  server.mockReset();
  vi.stubGlobal('fetch', server);
});

it('builds DICOMweb paths, and keeps odd identifiers from leaving them', () => {
  expect(framePath('1.2', '1.3', '1.4', 7)).toBe('/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/7');
  expect(renderedPath('1.2', '1.3', '1.4')).toBe('/dicom-web/studies/1.2/series/1.3/instances/1.4/rendered');
  expect(thumbnailPath('1.2', '1.3')).toBe('/dicom-web/studies/1.2/series/1.3/thumbnail');
  expect(thumbnailPath('../x', '1.3')).toBe('/dicom-web/studies/..%2Fx/series/1.3/thumbnail');
});

describe('requests', () => {
  it('carry the CSRF token once a session is known, and search in the body', async () => {
    server.mockResolvedValueOnce(json(200, { user: 'a', csrf: 'token-1' }));
    await signIn('a', 'b');
    server.mockResolvedValueOnce(json(200, { total: 0, items: [] }));
    await searchStudies({ name: '测试', offset: 0, limit: 20 });
    const [url, init] = server.mock.calls[1]!;
    expect(url).toBe('/api/v1/studies/search');
    expect(new Headers(init?.headers).get('X-Pianku-Csrf')).toBe('token-1');
    expect(String(init?.body)).toContain('测试');
    server.mockResolvedValueOnce(json(204, null));
    await signOut();
    expect(new Headers(server.mock.calls[2]![1]?.headers).get('X-Pianku-Csrf')).toBe('token-1');
  });

  it('turn problem+json and silence into one kind of error', async () => {
    server.mockResolvedValueOnce(json(403, { title: 'No', code: 'forbidden' }, 'application/problem+json'));
    await expect(searchStudies({ offset: 0, limit: 1 })).rejects.toMatchObject({ status: 403, code: 'forbidden' });
    server.mockRejectedValueOnce(new TypeError('offline'));
    await expect(searchStudies({ offset: 0, limit: 1 })).rejects.toBeInstanceOf(ApiError);
  });

  it('read 401 on the session as nobody being signed in', async () => {
    server.mockResolvedValueOnce(json(401, { code: 'signed_out' }));
    expect(await readSession()).toBeNull();
  });
});

it('takes the bytes out of a multipart answer', () => {
  const body = '--b\r\nContent-Type: application/octet-stream\r\n\r\nPDF\r\n\r\nbytes\r\n--b--\r\n';
  const raw = new TextEncoder().encode(body).buffer as ArrayBuffer;
  expect(new TextDecoder().decode(singlePart(raw))).toBe('PDF\r\n\r\nbytes');
  const plain = new TextEncoder().encode('%PDF-1.4').buffer as ArrayBuffer;
  expect(singlePart(plain)).toBe(plain);
});
