import { describe, expect, it } from 'vitest';
import { en } from './en';
import { zhCN } from './zh-CN';

function leaves(value: object, path = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'string' ? [[`${path}${key}`, inner] as [string, string]] : leaves(inner as object, `${path}${key}.`),
  );
}

const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();

describe('locales', () => {
  it('have the same keys', () => {
    expect(leaves(en).map(([key]) => key).sort()).toEqual(leaves(zhCN).map(([key]) => key).sort());
  });

  it('use the same placeholders', () => {
    const english = new Map(leaves(en));
    for (const [key, text] of leaves(zhCN)) {
      expect(placeholders(english.get(key) ?? ''), key).toEqual(placeholders(text));
    }
  });

  it('leave no text empty', () => {
    for (const [key, text] of [...leaves(en), ...leaves(zhCN)]) expect(text.trim(), key).not.toBe('');
  });
});
