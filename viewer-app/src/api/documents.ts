import type { DicomJson } from './dicomweb';
import { instancePath, readSeriesMetadata } from './dicomweb';
import { ApiError, request } from './http';
import { address } from './portal';

/** A whole file as it came from the server. */
export interface Content {
  readonly mimeType: string;
  readonly bytes: ArrayBuffer;
}

const BULK_TAG = '00420011';

async function content(path: string, signal?: AbortSignal, accept = '*/*'): Promise<Content> {
  const response = await request(path, { headers: { Accept: accept }, signal });
  const mimeType = (response.headers.get('Content-Type') ?? '').split(';')[0]!.trim().toLowerCase();
  return { mimeType, bytes: await response.arrayBuffer() };
}

/** The original file of a registered document, byte for byte. */
export function readDocument(entryUuid: string, signal?: AbortSignal): Promise<Content> {
  const path = address('/api/v1/documents/{entry_uuid}/content', { entry_uuid: entryUuid });
  return content(path, signal);
}

/** Takes the only part out of a multipart/related answer. */
export function singlePart(bytes: ArrayBuffer): ArrayBuffer {
  const view = new Uint8Array(bytes);
  const head = new TextDecoder('latin1').decode(view.subarray(0, 2048));
  const boundary = /^\s*(--[^\r\n]+)\r?\n/.exec(head)?.[1];
  const start = head.indexOf('\r\n\r\n');
  if (!boundary || start < 0) return bytes;
  const tail = new TextDecoder('latin1').decode(view.subarray(-(boundary.length + 64)));
  const cut = tail.lastIndexOf(`\r\n${boundary}`);
  const end = cut < 0 ? view.length : view.length - tail.length + cut;
  return bytes.slice(start + 4, end);
}

async function readBulk(instance: DicomJson, signal?: AbortSignal): Promise<Content> {
  const uri = instance[BULK_TAG]?.BulkDataURI;
  if (!uri) throw new ApiError(404, 'no_bulk_data', 'The document has no content');
  // Only the path: the server may know itself by a name this browser cannot reach.
  const path = new URL(uri, window.location.href).pathname;
  const raw = await content(path, signal, 'multipart/related; type="application/octet-stream"');
  const declared = instance['00420012']?.Value?.[0];
  const mimeType = typeof declared === 'string' ? declared : 'application/pdf';
  const bytes = raw.mimeType.startsWith('multipart/') ? singlePart(raw.bytes) : raw.bytes;
  return { mimeType, bytes };
}

/** The document inside an encapsulated-document instance (PDF, CDA, ...). */
export async function readEncapsulated(
  studyUid: string,
  seriesUid: string,
  sopUid: string,
  signal?: AbortSignal,
): Promise<Content> {
  const path = instancePath(studyUid, seriesUid, sopUid);
  try {
    return await content(`${path}/rendered`, signal, 'application/pdf, text/xml, */*;q=0.5');
  } catch (reason) {
    const unrenderable = reason instanceof ApiError && [400, 404, 406, 415].includes(reason.status);
    if (!unrenderable) throw reason;
  }
  const metadata = await readSeriesMetadata(studyUid, seriesUid, signal);
  const instance = metadata.find((item) => item['00080018']?.Value?.[0] === sopUid);
  if (!instance) throw new ApiError(404, 'not_found', 'No such instance');
  return readBulk(instance, signal);
}
