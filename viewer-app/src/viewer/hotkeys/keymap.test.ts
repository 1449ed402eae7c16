import { describe, expect, it } from 'vitest';
import { actionFor, isNative, isTyping, TOOL_KEYS } from './keymap';

const press = (key: string, modifiers = {}) =>
  actionFor({ key, ctrlKey: false, metaKey: false, altKey: false, ...modifiers });

describe('actionFor', () => {
  it('knows tools in either case, presets and paging', () => {
    expect(press('w')).toEqual({ kind: 'tool', tool: 'window' });
    expect(press('W')).toEqual({ kind: 'tool', tool: 'window' });
    expect(press('3')).toEqual({ kind: 'preset', index: 2 });
    expect(press('PageDown')).toEqual({ kind: 'scroll', delta: 10 });
    expect(press('q')).toBeNull();
  });

  it('leaves the browser its own shortcuts', () => {
    expect(press('r', { ctrlKey: true })).toBeNull();
    expect(press('p', { metaKey: true })).toBeNull();
  });

  it('gives no key to two tools', () => {
    expect(new Set(Object.values(TOOL_KEYS)).size).toBe(Object.keys(TOOL_KEYS).length);
  });
});

it('stays off while typing and on focused controls', () => {
  const input = document.createElement('input');
  const button = document.createElement('button');
  expect(isTyping(input)).toBe(true);
  expect(isTyping(button)).toBe(false);
  expect(isNative(button, ' ')).toBe(true);
  expect(isNative(button, 'w')).toBe(false);
});
