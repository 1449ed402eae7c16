import { expect, it } from 'vitest';
import { probeLines } from './probeLines';

it('says place, value and unit, and nothing where there is no value', () => {
  expect(probeLines({ index: [12, 34, 5], value: 40.128, modalityUnit: 'HU' })).toEqual([
    'x 12  y 34',
    '40.13 HU',
  ]);
  expect(probeLines({ index: [1, 2, 0], value: [10, 20, 30], modalityUnit: 'raw' })).toEqual([
    'x 1  y 2',
    '10 / 20 / 30',
  ]);
  expect(probeLines({ index: [1, 2, 0], value: 0, modalityUnit: 'HU' })?.[1]).toBe('0 HU');
  expect(probeLines({ index: [1, 2, 0] })).toBeUndefined();
});
