/** The boundary to Cornerstone: nothing outside this folder knows which library draws. */
export { bootEngine, setUnauthorizedHandler } from './boot';
export type { EngineInfo } from './boot';
export type { EdgeLabels } from './orientation';
export type { PrefetchProgress } from './prefetch';
export { buildStack } from './stack';
export type { ImageStack } from './stack';
export { StackView } from './StackView';
export type { ViewState } from './StackView';
export { clearMeasurements, removeSelectedMeasurements, selectTool } from './tools';
export type { ToolName } from './tools';
