import { describe, expect, it } from 'vitest';
import type { DicomJson } from '@/api';
import { frameCount, isOriented, nearest, number, sortInstances } from './order';

const slice = (instanceNumber: number, z: number | null): DicomJson => ({
  '00200013': { vr: 'IS', Value: [instanceNumber] },
  ...(z === null
    ? {}
    : {
        '00200032': { vr: 'DS', Value: [0, 0, z] },
        '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] },
      }),
});
const order = (list: readonly DicomJson[]) => sortInstances(list).map((item) => number(item, '00200013'));

describe('sortInstances', () => {
  it('follows the body, in the direction the scanner counted', () => {
    expect(order([slice(3, 10), slice(1, 30), slice(2, 20)])).toEqual([1, 2, 3]);
    expect(order([slice(1, 10), slice(2, 30), slice(3, 20)])).toEqual([1, 3, 2]);
  });

  it('falls back to numbers where places are missing, shared or not parallel', () => {
    expect(order([slice(2, null), slice(1, null)])).toEqual([1, 2]);
    expect(order([slice(3, 10), slice(2, 10), slice(1, 20)])).toEqual([1, 2, 3]);
    const turned: DicomJson = {
      ...slice(1, 99),
      '00200037': { vr: 'DS', Value: [0, 1, 0, 0, 0, -1] },
    };
    expect(order([slice(3, 10), slice(2, 20), turned])).toEqual([1, 2, 3]);
  });
});

it('reads frame counts and orientation, also of enhanced objects', () => {
  expect(frameCount({})).toBe(1);
  expect(frameCount({ '00280008': { vr: 'IS', Value: ['40'] } })).toBe(40);
  expect(isOriented(slice(1, 1))).toBe(true);
  expect(isOriented(slice(1, null))).toBe(false);
  const plane = { '00209116': { vr: 'SQ', Value: [{ '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] } }] } };
  expect(isOriented({ '52009229': { vr: 'SQ', Value: [plane] } })).toBe(true);
});

it('fetches the frame nearest to the reader first', () => {
  expect(nearest(new Set([0, 4, 9]), 6)).toBe(4);
  expect(nearest(new Set(), 6)).toBeUndefined();
});
