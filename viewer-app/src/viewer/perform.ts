import { removeSelectedMeasurements, selectTool } from './engine';
import type { Action } from './hotkeys/keymap';
import { presetsFor } from './presets';
import { activeView, useViewerStore } from './viewerStore';

/** Does what a key or a button asks of the active pane. */
export function perform(action: Action): void {
  const store = useViewerStore.getState();
  if (action.kind === 'tool') {
    selectTool(action.tool);
    store.setTool(action.tool);
    return;
  }
  if (action.kind === 'overlay') {
    store.toggleOverlay();
    return;
  }
  const view = activeView();
  const state = view?.getState();
  if (!view || state?.phase !== 'shown') return;
  switch (action.kind) {
    case 'preset': {
      const modality = store.panes[store.active]?.modality ?? '';
      const preset = presetsFor(modality)[action.index];
      if (preset) view.setWindow(preset.width, preset.center);
      break;
    }
    case 'default_window':
      view.resetWindow();
      break;
    case 'scroll':
      view.scroll(action.delta);
      break;
    case 'first':
      view.goTo(0);
      break;
    case 'last':
      view.goTo(state.count - 1);
      break;
    case 'cine':
      if (state.playing) view.stop();
      else view.play();
      break;
    case 'invert':
      view.invert();
      break;
    case 'rotate':
      view.rotate();
      break;
    case 'flip':
      view.flip();
      break;
    case 'reset':
      view.reset();
      break;
    case 'delete':
      removeSelectedMeasurements();
      view.redraw();
      break;
    default:
      break;
  }
}
