/** Name of a window for a kind of tissue. */
export type PresetName =
  | 'lung'
  | 'mediastinum'
  | 'bone'
  | 'brain'
  | 'abdomen'
  | 'liver'
  | 'spine'
  | 'angio'
  | 'stroke';

/** A window, in Hounsfield units. */
export interface Preset {
  readonly name: PresetName;
  readonly width: number;
  readonly center: number;
}

/** Windows for CT in the order of the keys 1 to 9. */
export const CT_PRESETS: readonly Preset[] = [
  { name: 'lung', width: 1500, center: -600 },
  { name: 'mediastinum', width: 400, center: 40 },
  { name: 'bone', width: 2000, center: 400 },
  { name: 'brain', width: 80, center: 40 },
  { name: 'abdomen', width: 350, center: 50 },
  { name: 'liver', width: 160, center: 60 },
  { name: 'spine', width: 250, center: 50 },
  { name: 'angio', width: 600, center: 170 },
  { name: 'stroke', width: 40, center: 35 },
];

/** Presets that mean something for a modality: only CT values have a fixed scale. */
export function presetsFor(modality: string): readonly Preset[] {
  return modality === 'CT' ? CT_PRESETS : [];
}
