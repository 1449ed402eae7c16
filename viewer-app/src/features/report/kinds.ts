/** How a document is shown. */
export type ReportKind = 'pdf' | 'image' | 'xml' | 'text' | 'unsupported';

const IMAGES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/bmp', 'image/jpg'];

/** Chooses by media type. HTML is shown as text on purpose: a report must not run anything. */
export function kindOf(mimeType: string): ReportKind {
  const mime = mimeType.split(';')[0]!.trim().toLowerCase();
  if (mime === 'application/pdf') return 'pdf';
  if (IMAGES.includes(mime)) return 'image';
  if (mime === 'text/xml' || mime === 'application/xml' || mime.endsWith('+xml')) {
    return mime === 'image/svg+xml' ? 'text' : 'xml';
  }
  if (mime.startsWith('text/') || mime === 'application/json') return 'text';
  return 'unsupported';
}

/** Text of a file: UTF-8, UTF-16 by its mark, else the Chinese national encoding. */
export function decodeText(bytes: ArrayBuffer): string {
  const head = new Uint8Array(bytes.slice(0, 2));
  if (head[0] === 0xff && head[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (head[0] === 0xfe && head[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('gb18030').decode(bytes);
  }
}
