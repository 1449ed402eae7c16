import { useEffect, useState } from 'react';
import type { EngineInfo } from './engine';
import { bootEngine, setUnauthorizedHandler } from './engine';

/** Starts the image engine; `info` is null until it runs. */
export function useEngine(onUnauthorized: () => void): {
  info: EngineInfo | null;
  failed: boolean;
} {
  const [info, setInfo] = useState<EngineInfo | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let gone = false;
    setUnauthorizedHandler(onUnauthorized);
    bootEngine()
      .then((value) => !gone && setInfo(value))
      .catch(() => !gone && setFailed(true));
    return () => {
      gone = true;
    };
  }, [onUnauthorized]);
  return { info, failed };
}
