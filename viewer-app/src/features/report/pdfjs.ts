import type * as Pdfjs from 'pdfjs-dist';

type PdfLibrary = typeof Pdfjs;

let library: Promise<PdfLibrary> | null = null;

async function load(): Promise<PdfLibrary> {
  const [pdfjs, { default: PdfWorker }] = await Promise.all([
    import('pdfjs-dist'),
    import('pdfjs-dist/build/pdf.worker.min.mjs?worker'),
  ]);
  pdfjs.GlobalWorkerOptions.workerPort = new PdfWorker();
  return pdfjs;
}

/** The PDF library, fetched with the first PDF. */
export function pdfLibrary(): Promise<PdfLibrary> {
  library ??= load();
  return library;
}

/** Opens a PDF from memory. Scripts and links to elsewhere in it stay dead. */
export async function openPdf(bytes: ArrayBuffer): Promise<Pdfjs.PDFDocumentProxy> {
  const pdfjs = await pdfLibrary();
  const base = `${import.meta.env.BASE_URL}pdfjs/`;
  return pdfjs.getDocument({
    data: bytes.slice(0), // the worker takes its copy away
    cMapUrl: `${base}cmaps/`,
    cMapPacked: true,
    standardFontDataUrl: `${base}standard_fonts/`,
    wasmUrl: `${base}wasm/`,
    enableXfa: false,
  }).promise;
}
