import type { PDFDocumentProxy } from 'pdfjs-dist';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { openPdf, pdfLibrary } from './pdfjs';

/** Opens a PDF and gives its memory back when it is no longer shown. */
export function usePdf(bytes: ArrayBuffer, onBroken: () => void): PDFDocumentProxy | null {
  const [pdf, setPdf] = useState<PDFDocumentProxy | null>(null);
  const broken = useEffectEvent(onBroken);
  useEffect(() => {
    let gone = false;
    const opening = openPdf(bytes);
    opening
      .then((opened) => !gone && setPdf(opened))
      .catch(() => !gone && broken());
    return () => {
      gone = true;
      setPdf(null);
      void opening.then((opened) => opened.loadingTask.destroy()).catch(() => undefined);
    };
  }, [bytes]);
  return pdf;
}

interface Page {
  readonly number: number;
  /** Width in CSS pixels that scale 1 fills. */
  readonly width: number;
  readonly scale: number;
  readonly rotation: number;
}

/** Draws one page, and over it the text that can be read aloud, searched and copied. */
export function usePdfPage(pdf: PDFDocumentProxy | null, wanted: Page) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const words = useRef<HTMLDivElement>(null);
  const { number, width, scale, rotation } = wanted;
  useEffect(() => {
    if (!pdf || width <= 0) return;
    let cancel: () => void = () => undefined;
    let gone = false;
    void (async () => {
      const pdfjs = await pdfLibrary();
      const page = await pdf.getPage(number);
      if (gone || !canvas.current || !words.current) return;
      const turned = (page.rotate + rotation) % 360;
      const natural = page.getViewport({ scale: 1, rotation: turned });
      // A page on its side fits by the same rule as an upright one: the width.
      const viewport = page.getViewport({ scale: (width / natural.width) * scale, rotation: turned });
      const ratio = Math.min(3, Math.max(1, window.devicePixelRatio || 1));
      const sheet = document.createElement('canvas');
      sheet.width = Math.floor(viewport.width * ratio);
      sheet.height = Math.floor(viewport.height * ratio);
      const task = page.render({
        canvas: sheet,
        viewport,
        transform: ratio === 1 ? undefined : [ratio, 0, 0, ratio, 0, 0],
      });
      cancel = () => task.cancel();
      await task.promise;
      if (gone || !canvas.current || !words.current) return;
      // Drawn aside and then put in place at once, so that turning a page does not flash.
      canvas.current.width = sheet.width;
      canvas.current.height = sheet.height;
      canvas.current.style.width = `${viewport.width}px`;
      canvas.current.style.height = `${viewport.height}px`;
      canvas.current.getContext('2d')?.drawImage(sheet, 0, 0);
      words.current.replaceChildren();
      words.current.style.setProperty('--total-scale-factor', String(viewport.scale));
      const layer = new pdfjs.TextLayer({
        textContentSource: page.streamTextContent(),
        container: words.current,
        viewport,
      });
      cancel = () => layer.cancel();
      await layer.render();
    })().catch(() => undefined); // cancelled by the next page
    return () => {
      gone = true;
      cancel();
    };
  }, [pdf, number, width, scale, rotation]);
  return { canvas, words };
}
