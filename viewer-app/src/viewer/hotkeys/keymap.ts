import type { ToolName } from '../engine';

/** Everything a key can do. */
export type Action =
  | { readonly kind: 'tool'; readonly tool: ToolName }
  | { readonly kind: 'preset'; readonly index: number }
  | { readonly kind: 'scroll'; readonly delta: number }
  | { readonly kind: 'series'; readonly delta: 1 | -1 }
  | {
      readonly kind:
        | 'invert' | 'rotate' | 'flip' | 'reset' | 'overlay' | 'cine' | 'first' | 'last'
        | 'help' | 'delete' | 'default_window' | 'navigator';
    };

/** Key of each tool. */
export const TOOL_KEYS: Readonly<Record<ToolName, string>> = {
  window: 'W', scroll: 'S', pan: 'G', zoom: 'Z', length: 'L', angle: 'A', rectangle: 'B', probe: 'P',
};

const KEYS: Readonly<Record<string, Action>> = {
  I: { kind: 'invert' },
  R: { kind: 'rotate' },
  H: { kind: 'flip' },
  X: { kind: 'reset' },
  O: { kind: 'overlay' },
  N: { kind: 'navigator' },
  ' ': { kind: 'cine' },
  '0': { kind: 'default_window' },
  ArrowUp: { kind: 'scroll', delta: -1 },
  ArrowDown: { kind: 'scroll', delta: 1 },
  PageUp: { kind: 'scroll', delta: -10 },
  PageDown: { kind: 'scroll', delta: 10 },
  ArrowLeft: { kind: 'series', delta: -1 },
  ArrowRight: { kind: 'series', delta: 1 },
  Home: { kind: 'first' },
  End: { kind: 'last' },
  Delete: { kind: 'delete' },
  '?': { kind: 'help' },
  '？': { kind: 'help' },
};

interface Press {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** What a key press asks for; null when it is not ours. */
export function actionFor(press: Press): Action | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  const key = press.key.length === 1 ? press.key.toUpperCase() : press.key;
  if (/^[1-9]$/.test(key)) return { kind: 'preset', index: Number(key) - 1 };
  const tool = (Object.keys(TOOL_KEYS) as ToolName[]).find((name) => TOOL_KEYS[name] === key);
  return tool ? { kind: 'tool', tool } : (KEYS[key] ?? null);
}

/** Whether keys belong to the element that has the focus rather than to the viewer. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  const tag = target.tagName;
  return tag === 'TEXTAREA' || tag === 'SELECT' ||
    (tag === 'INPUT' && (target as HTMLInputElement).type !== 'range');
}

/** Whether a key keeps its native meaning on the focused control (Space on a button). */
export function isNative(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches('input[type=range]')) return /^(Arrow|Page|Home|End)/.test(key);
  const control = target.closest('button, a, [role=menuitem], [role=tab], [role=radio], label');
  return control !== null && (key === ' ' || key === 'Enter' || /^Arrow/.test(key));
}
