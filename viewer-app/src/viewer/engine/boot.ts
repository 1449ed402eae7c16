import { cache, init as initCore, Settings } from '@cornerstonejs/core';
import { init as initLoader } from '@cornerstonejs/dicom-image-loader';
import { init as initTools } from '@cornerstonejs/tools';
import { createToolGroup } from './tools';

/** What this browser can do. */
export interface EngineInfo {
  /** False on desktops without any 3D interface: pictures are then drawn by the processor. */
  readonly webgl: boolean;
}

const ACCEPT = 'multipart/related; type="application/octet-stream"; transfer-syntax=*';
const MEGABYTE = 1024 * 1024;

let booted: Promise<EngineInfo> | null = null;
let onUnauthorized: () => void = () => undefined;

/** Says whom to tell when a frame request finds the session ended. */
export function setUnauthorizedHandler(handler: () => void): void {
  onUnauthorized = handler;
}

function hasWebgl(): boolean {
  const context = document.createElement('canvas').getContext('webgl2');
  // Browsers allow few contexts at a time; give this one back.
  context?.getExtension('WEBGL_lose_context')?.loseContext();
  return context !== null;
}

async function boot(): Promise<EngineInfo> {
  const webgl = hasWebgl();
  const small = window.matchMedia('(pointer: coarse)').matches;
  await initCore({ isMobile: small, rendering: { useCPURendering: !webgl } } as never);
  cache.setMaxCacheSize((small ? 512 : 2048) * MEGABYTE);
  initLoader({
    maxWebWorkers: Math.min(6, Math.max(1, (navigator.hardwareConcurrency || 2) - 1)),
    beforeSend: () => ({ Accept: ACCEPT }),
    errorInterceptor: (error) => {
      if (error.status === 401) onUnauthorized();
    },
  });
  await initTools();
  Settings.getRuntimeSettings().set('useCursors', true);
  createToolGroup();
  return { webgl };
}

/** Starts the engine once; later calls get the same answer. */
export function bootEngine(): Promise<EngineInfo> {
  booted ??= boot();
  return booted;
}
