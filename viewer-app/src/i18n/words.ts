import type { TFunction } from 'i18next';

/** An age split into the unit a clinician says it in. */
export interface Age {
  readonly unit: 'years' | 'months' | 'days';
  readonly count: number;
}

const DICOM_AGE = /^(\d{3})([DWMY])$/;
const DAY_MS = 86_400_000;

function daysBetween(from: string, to: string): number {
  return Math.floor((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS);
}

function monthsBetween(from: string, to: string): number {
  const [fromYear = 0, fromMonth = 0, fromDay = 0] = from.split('-').map(Number);
  const [toYear = 0, toMonth = 0, toDay = 0] = to.split('-').map(Number);
  return (toYear - fromYear) * 12 + toMonth - fromMonth - (toDay < fromDay ? 1 : 0);
}

/** Age on a day: as the file states it (`045Y`), else from birth. Under a month, days. */
export function ageOn(
  stated: string | null | undefined,
  birthDate: string | null,
  on: string | null,
): Age | null {
  const match = DICOM_AGE.exec(stated ?? '');
  if (match) {
    const count = Number(match[1]);
    if (match[2] === 'Y') return { unit: 'years', count };
    if (match[2] === 'M') return { unit: 'months', count };
    return { unit: 'days', count: match[2] === 'W' ? count * 7 : count };
  }
  if (!birthDate || !on) return null;
  const day = on.slice(0, 10);
  const months = monthsBetween(birthDate, day);
  if (!Number.isFinite(months) || months < 0) return null;
  if (months >= 36) return { unit: 'years', count: Math.floor(months / 12) };
  if (months >= 1) return { unit: 'months', count: months };
  const days = daysBetween(birthDate, day);
  return days >= 0 ? { unit: 'days', count: days } : null;
}

/** Says an age. */
export function sayAge(t: TFunction, age: Age | null): string {
  return age ? t(`age.${age.unit}`, { count: age.count }) : '—';
}

/** Says a sex (DICOM CS values). */
export function saySex(t: TFunction, sex: string): string {
  return sex === 'M' || sex === 'F' || sex === 'O' ? t(`sex.${sex}`) : t('sex.unknown');
}

/** Says a body part; codes without a word of ours stay as they are. */
export function sayBodyPart(t: TFunction, code: string): string {
  return t(`body.${code}` as 'body.CHEST', { defaultValue: code });
}

/** Says a kind of examination. */
export function sayModality(t: TFunction, code: string): string {
  return t(`modality.${code}` as 'modality.CT', { defaultValue: code });
}

/** Says a role; the server may know roles without a word of ours. */
export function sayRole(t: TFunction, role: string): string {
  return t(`role.${role}` as 'role.clinician', { defaultValue: role });
}

/** A person's name to show: in characters when known, else the alphabetic form. */
export function personName(row: {
  readonly patient_name: string;
  readonly patient_name_ideographic?: string | null;
}): string {
  return row.patient_name_ideographic?.replaceAll('^', ' ').trim() || alphabeticName(row.patient_name);
}

/** The alphabetic form of a DICOM person name, without its separators. */
export function alphabeticName(name: string): string {
  return (name.split('=')[0] ?? '').replaceAll('^', ' ').replace(/\s+/g, ' ').trim() || '—';
}

/** `2026-11-24T10:32:05` as `2026-11-24 10:32`; the server sends the hospital's local time. */
export function sayDateTime(iso: string | null): string {
  return iso ? iso.slice(0, 16).replace('T', ' ') : '—';
}

/** The day of a local date and time. */
export function sayDate(iso: string | null): string {
  return iso ? iso.slice(0, 10) : '—';
}

/** A size as people read it. */
export function saySize(bytes: number | null): string {
  if (bytes === null) return '';
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
