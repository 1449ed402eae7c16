import type { DicomElement, DicomJson } from '@/api';
import { text } from './order';

// Descriptor and table of red, green and blue.
const TABLES = [
  ['00281101', '00281201'],
  ['00281102', '00281202'],
  ['00281103', '00281203'],
] as const;

function entriesOf(base64: string, wanted: number): number[] {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  // Tables of 8-bit entries may be packed two in a word; the number of entries tells.
  if (bytes.length < wanted * 2) return [...bytes.subarray(0, wanted)];
  const view = new DataView(bytes.buffer);
  return Array.from({ length: wanted }, (_, index) => view.getUint16(index * 2, true));
}

/**
 * Unpacks the colour tables of a palette image. DICOM JSON carries them as base64
 * (PS3.18 F.2.7), but the loader looks for a list of numbers and draws nothing without.
 */
export function withPalette(instance: DicomJson): DicomJson {
  if (text(instance, '00280004') !== 'PALETTE COLOR') return instance;
  const unpacked: Record<string, DicomElement> = {};
  for (const [descriptor, table] of TABLES) {
    const binary = instance[table]?.InlineBinary;
    const count = Number(instance[descriptor]?.Value?.[0] ?? 0);
    // Zero entries stands for 65536, which does not fit the field.
    if (binary) unpacked[table] = { vr: 'OW', Value: entriesOf(binary, count || 65_536) };
  }
  return { ...instance, ...unpacked };
}
