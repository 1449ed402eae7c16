import { expect, it } from 'vitest';
import type { DicomJson } from '@/api';
import { withPalette } from './palette';

const image = (entries: number, bytes: number[]): DicomJson => ({
  '00280004': { vr: 'CS', Value: ['PALETTE COLOR'] },
  '00281101': { vr: 'US', Value: [entries, 0, 16] },
  '00281201': { vr: 'OW', InlineBinary: btoa(String.fromCharCode(...bytes)) },
});

it('unpacks words and packed bytes, and leaves other images alone', () => {
  expect(withPalette(image(2, [0, 1, 255, 255]))['00281201']?.Value).toEqual([256, 65535]);
  expect(withPalette(image(4, [1, 2, 3, 4]))['00281201']?.Value).toEqual([1, 2, 3, 4]);
  const grey: DicomJson = { '00280004': { vr: 'CS', Value: ['MONOCHROME2'] } };
  expect(withPalette(grey)).toBe(grey);
});
