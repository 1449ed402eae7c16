import { lazy } from 'react';

/** Reading images. The engine behind it is reached through this door only, and lazily. */
export { SERIES_DRAG_TYPE } from './dragSeries';
export { icons as viewerIcons } from './toolbar/icons';
export { useDisplayedSeries, useViewerStore } from './viewerStore';
export type { ViewerSeries } from './viewerStore';

/** Toolbar and panes, in a chunk of their own: header and navigator need not wait for it. */
export const ImageViewer = lazy(() =>
  import('./ImageViewer').then((module) => ({ default: module.ImageViewer })),
);

/** Fetches and starts the image engine ahead of the first study. */
export async function warmUpViewer(): Promise<void> {
  const [{ bootEngine }] = await Promise.all([import('./engine'), import('./ImageViewer')]);
  await bootEngine();
}
