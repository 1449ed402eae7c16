import { describe, expect, it } from 'vitest';
import { decodeText, kindOf } from './kinds';

it('chooses how to show by media type', () => {
  expect(kindOf('application/pdf')).toBe('pdf');
  expect(kindOf('TEXT/XML; charset=utf-8')).toBe('xml');
  expect(kindOf('application/hl7-sda+xml')).toBe('xml');
  expect(kindOf('image/png')).toBe('image');
  expect(kindOf('application/dicom')).toBe('unsupported');
});

it('never lets markup run: HTML and SVG are text', () => {
  expect(kindOf('text/html')).toBe('text');
  expect(kindOf('image/svg+xml')).toBe('text');
});

describe('decodeText', () => {
  it('reads UTF-8 and the encoding of old hospital systems', () => {
    expect(decodeText(new TextEncoder().encode('检验报告').buffer)).toBe('检验报告');
    // "报告" in GB18030
    expect(decodeText(new Uint8Array([0xb1, 0xa8, 0xb8, 0xe6]).buffer)).toBe('报告');
  });
});
