/** Kind of thing dragged from the navigator onto a pane. */
export const SERIES_DRAG_TYPE = 'application/x-pianku-series';
