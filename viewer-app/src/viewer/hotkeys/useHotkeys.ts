import { useEffect } from 'react';
import type { Action } from './keymap';
import { actionFor, isNative, isTyping } from './keymap';

/** Listens for the viewer's keys on the whole page, except where the reader types. */
export function useHotkeys(act: (action: Action) => void): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      // The engine takes the focus on a click and cancels every key there without using it.
      const onImage = event.target instanceof Element && event.target.closest('[data-image]');
      if (event.defaultPrevented && !onImage) return;
      if (isTyping(event.target) || isNative(event.target, event.key)) return;
      if (document.querySelector('[role=dialog][aria-modal=true]')) return;
      const action = actionFor(event);
      if (!action) return;
      event.preventDefault();
      act(action);
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [act]);
}
