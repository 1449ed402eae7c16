/** What the probe tool keeps of a point. */
export interface ProbeStats {
  index?: readonly number[] | null;
  value?: number | readonly number[] | null;
  modalityUnit?: string | readonly string[] | null;
}

const rounded = (value: number) => (Number.isInteger(value) ? value : Number(value.toFixed(2)));

/** The lines beside a probe: place in the image, then the value with its unit. */
export function probeLines(stats: ProbeStats | undefined): string[] | undefined {
  if (!stats?.index || stats.value === undefined || stats.value === null) return undefined;
  const [x = 0, y = 0] = stats.index;
  const values = Array.isArray(stats.value) ? (stats.value as number[]) : [stats.value as number];
  const units = stats.modalityUnit;
  const unit = Array.isArray(units) ? '' : units === 'raw' ? '' : (units as string | null) ?? '';
  return [`x ${x}  y ${y}`, `${values.map(rounded).join(' / ')} ${unit}`.trim()];
}
