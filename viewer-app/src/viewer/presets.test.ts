import { expect, it } from 'vitest';
import { CT_PRESETS, presetsFor } from './presets';

it('offers the nine keys for CT and none where values have no fixed scale', () => {
  expect(presetsFor('CT')).toHaveLength(9);
  expect(presetsFor('MR')).toHaveLength(0);
  expect(CT_PRESETS[0]).toEqual({ name: 'lung', width: 1500, center: -600 });
  expect(new Set(CT_PRESETS.map((preset) => preset.name)).size).toBe(9);
});
