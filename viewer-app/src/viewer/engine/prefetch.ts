import { cache, Enums, imageLoader } from '@cornerstonejs/core';
import { nearest } from './order';
import type { ImageStack } from './stack';

/** How much of a stack has arrived. */
export interface PrefetchProgress {
  readonly loaded: number;
  readonly failed: number;
  readonly total: number;
}

// Browsers open about six connections a host over HTTP/1.1; two stay free for the slice the
// reader has just scrolled to.
const PARALLEL = 4;

/** Loads a stack from the present slice outwards; returns the function that stops it. */
export function prefetch(
  stack: ImageStack,
  currentIndex: () => number,
  report: (progress: PrefetchProgress) => void,
): () => void {
  const total = stack.imageIds.length;
  const wanted = new Set(stack.imageIds.keys());
  let loaded = 0;
  let failed = 0;
  let stopped = false;

  async function work(): Promise<void> {
    while (!stopped) {
      const index = nearest(wanted, currentIndex());
      if (index === undefined) return;
      wanted.delete(index);
      const imageId = stack.imageIds[index]!;
      try {
        if (!cache.isLoaded(imageId)) {
          await imageLoader.loadAndCacheImage(imageId, {
            requestType: Enums.RequestType.Prefetch,
            priority: 0,
            useRGBA: false,
            additionalDetails: { imageId },
          } as never);
        }
        loaded += 1;
      } catch {
        failed += 1;
      }
      if (!stopped) report({ loaded, failed, total });
    }
  }

  void Promise.all(Array.from({ length: Math.min(PARALLEL, total) }, work));
  return () => {
    stopped = true;
  };
}
