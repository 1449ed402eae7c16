import {
  addTool,
  AngleTool,
  annotation,
  Enums,
  LengthTool,
  PanTool,
  RectangleROITool,
  StackScrollTool,
  ToolGroupManager,
  WindowLevelTool,
  ZoomTool,
} from '@cornerstonejs/tools';
import { FrameProbeTool } from './FrameProbeTool';

/** What the main mouse button does. */
export type ToolName =
  | 'window'
  | 'scroll'
  | 'pan'
  | 'zoom'
  | 'length'
  | 'angle'
  | 'rectangle'
  | 'probe';

const GROUP = 'pianku';
const AMBER = 'rgb(255, 214, 102)';
const CYAN = 'rgb(120, 230, 240)';
const { MouseBindings } = Enums;

const CLASSES = {
  window: WindowLevelTool,
  scroll: StackScrollTool,
  pan: PanTool,
  zoom: ZoomTool,
  length: LengthTool,
  angle: AngleTool,
  rectangle: RectangleROITool,
  probe: FrameProbeTool,
} as const;

type Binding = { mouseButton?: number; numTouchPoints?: number };

/** Buttons that keep their meaning whatever the main button does. */
const FIXED: Partial<Record<ToolName, Binding[]>> = {
  scroll: [{ mouseButton: MouseBindings.Wheel }],
  pan: [{ mouseButton: MouseBindings.Auxiliary }],
  zoom: [{ mouseButton: MouseBindings.Secondary }, { numTouchPoints: 2 }],
};

const PRIMARY: Binding[] = [{ mouseButton: MouseBindings.Primary }, { numTouchPoints: 1 }];

function group() {
  return ToolGroupManager.getToolGroup(GROUP);
}

/** Registers all tools; called once at boot. */
export function createToolGroup(): void {
  const toolGroup = ToolGroupManager.createToolGroup(GROUP);
  for (const tool of Object.values(CLASSES)) {
    addTool(tool as never);
    toolGroup?.addTool(tool.toolName);
  }
  const { global } = annotation.config.style.getDefaultToolStyles() as { global: object };
  annotation.config.style.setDefaultToolStyles({
    global: {
      ...global,
      color: AMBER,
      colorHighlighted: CYAN,
      colorSelected: CYAN,
      textBoxColor: AMBER,
      textBoxColorHighlighted: CYAN,
      textBoxColorSelected: CYAN,
      textBoxFontFamily: 'system-ui, "PingFang SC", "Microsoft YaHei", sans-serif',
      textBoxFontSize: '14px',
      lineWidth: '1.5',
    },
  } as never);
  selectTool('window');
}

/** Gives the main mouse button and the single finger to one tool. */
export function selectTool(name: ToolName): void {
  const toolGroup = group();
  if (!toolGroup) return;
  const names = Object.keys(CLASSES) as ToolName[];
  for (const each of names) {
    toolGroup.setToolPassive(CLASSES[each].toolName, { removeAllBindings: true });
  }
  for (const each of names) {
    const bindings = [...(FIXED[each] ?? []), ...(each === name ? PRIMARY : [])];
    if (bindings.length) toolGroup.setToolActive(CLASSES[each].toolName, { bindings });
  }
}

/** Lets the tools act in a viewport. */
export function attachTools(viewportId: string, engineId: string): void {
  group()?.addViewport(viewportId, engineId);
}

/** Takes a viewport out of the tools' reach. */
export function detachTools(viewportId: string, engineId: string): void {
  group()?.removeViewports(engineId, viewportId);
}

/** Removes every drawn measurement. */
export function clearMeasurements(): void {
  annotation.state.removeAllAnnotations();
}

/** Removes the selected measurements, or the last drawn when none is selected. */
export function removeSelectedMeasurements(): void {
  const selected = annotation.selection.getAnnotationsSelected();
  const last = annotation.state.getAllAnnotations().at(-1)?.annotationUID;
  for (const uid of selected.length ? selected : last ? [last] : []) {
    annotation.state.removeAnnotation(uid);
  }
}
