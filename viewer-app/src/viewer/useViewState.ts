import { useSyncExternalStore } from 'react';
import type { StackView, ViewState } from './engine';

const NOTHING: ViewState = {
  phase: 'empty',
  index: 0,
  count: 0,
  windowWidth: null,
  windowCenter: null,
  zoom: null,
  inverted: false,
  edges: null,
  prefetch: null,
  isCine: false,
  playing: false,
  framesPerSecond: 15,
};

const never = () => () => undefined;

/** The state of a pane's view, redrawn as it changes. */
export function useViewState(view: StackView | null): ViewState {
  return useSyncExternalStore(view?.subscribe ?? never, view?.getState ?? (() => NOTHING));
}
