import { useCallback, useState } from 'react';

const STORAGE_KEY = 'pianku.worklist.columns';
const MINIMUM = 56;
const MAXIMUM = 640;

function stored(): Record<string, number> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}');
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter(([, width]) => typeof width === 'number'),
    ) as Record<string, number>;
  } catch {
    return {};
  }
}

/** Column widths the reader has chosen, kept on this machine. */
export function useColumnWidths(defaults: Readonly<Record<string, number>>) {
  const [chosen, setChosen] = useState(stored);
  const setWidth = useCallback((key: string, width: number) => {
    setChosen((before) => {
      const bounded = Math.round(Math.min(MAXIMUM, Math.max(MINIMUM, width)));
      const after = { ...before, [key]: bounded };
      try {
        localStorage.setItem(STORAGE_KEY, JSON.stringify(after));
      } catch {
        // Not remembered, but changed.
      }
      return after;
    });
  }, []);
  const widthOf = (key: string) => chosen[key] ?? defaults[key] ?? 120;
  return { widthOf, setWidth };
}
