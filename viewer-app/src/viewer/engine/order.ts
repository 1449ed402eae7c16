import type { DicomJson } from '@/api';

/** First value of an attribute as text. */
export function text(instance: DicomJson, tag: string): string {
  const value = instance[tag]?.Value?.[0];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** First value of an attribute as a number; 0 when absent. */
export function number(instance: DicomJson, tag: string): number {
  const value = Number(instance[tag]?.Value?.[0]);
  return Number.isFinite(value) ? value : 0;
}

/** How many frames an instance holds. */
export function frameCount(instance: DicomJson): number {
  return Math.max(1, number(instance, '00280008'));
}

/** Whether the orientation in the body is stated, at the top or in the functional groups. */
export function isOriented(instance: DicomJson): boolean {
  if (instance['00200037']?.Value?.length === 6) return true;
  return ['52009229', '52009230'].some((groups) => {
    const group = instance[groups]?.Value?.[0] as DicomJson | undefined;
    const plane = group?.['00209116']?.Value?.[0] as DicomJson | undefined;
    return plane?.['00200037']?.Value?.length === 6;
  });
}

function numbers(instance: DicomJson, tag: string, length: number): number[] | null {
  const values = instance[tag]?.Value?.map(Number);
  return values?.length === length && values.every(Number.isFinite) ? values : null;
}

/** Distance of a slice along the normal of its plane, or null when it has no position. */
export function slicePosition(instance: DicomJson, orientation: readonly number[]): number | null {
  const position = numbers(instance, '00200032', 3);
  if (!position) return null;
  const [rx = 0, ry = 0, rz = 0, cx = 0, cy = 0, cz = 0] = orientation;
  const [x = 0, y = 0, z = 0] = position;
  return x * (ry * cz - rz * cy) + y * (rz * cx - rx * cz) + z * (rx * cy - ry * cx);
}

const agree = (a: readonly number[], b: readonly number[]) =>
  a.every((value, index) => Math.abs(value - (b[index] ?? 0)) < 0.001);

/**
 * Reading order: by place in the body when all slices are parallel and no two share a place
 * (instance numbers of some scanners run against the anatomy), else by instance number.
 */
export function sortInstances(instances: readonly DicomJson[]): readonly DicomJson[] {
  const byNumber = [...instances].sort((a, b) => number(a, '00200013') - number(b, '00200013'));
  const orientation = byNumber[0] && numbers(byNumber[0], '00200037', 6);
  if (!orientation || byNumber.length < 2) return byNumber;
  const places = new Map<DicomJson, number>();
  for (const instance of byNumber) {
    const own = numbers(instance, '00200037', 6);
    const place = slicePosition(instance, orientation);
    if (!own || place === null || !agree(own, orientation)) return byNumber;
    places.set(instance, place);
  }
  if (new Set([...places.values()].map((place) => place.toFixed(3))).size < places.size) {
    return byNumber;
  }
  const sorted = [...byNumber].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  // Keep the direction the scanner counted in; only the order is corrected.
  const falling = number(sorted[0]!, '00200013') > number(sorted.at(-1)!, '00200013');
  return falling ? sorted.reverse() : sorted;
}

/** Index of the wanted frame nearest to the present one. */
export function nearest(wanted: ReadonlySet<number>, current: number): number | undefined {
  let best: number | undefined;
  for (const index of wanted) {
    if (best === undefined || Math.abs(index - current) < Math.abs(best - current)) best = index;
  }
  return best;
}
