import { useCallback, useRef, useState } from 'react';

/** Height of an element as it changes; give `ref` to the element. */
export function useElementHeight(): {
  ref: (element: HTMLElement | null) => void;
  height: number;
} {
  const [height, setHeight] = useState(0);
  const observer = useRef<ResizeObserver | null>(null);
  const ref = useCallback((element: HTMLElement | null) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.current.observe(element);
    setHeight(element.clientHeight);
  }, []);
  return { ref, height };
}
