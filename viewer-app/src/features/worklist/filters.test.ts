import { describe, expect, it } from 'vitest';
import { INITIAL, isFiltered, toSearch } from './filters';

/** As the server will see it: absent conditions vanish in JSON. */
const wire = (filters: Parameters<typeof toSearch>[0]) =>
  JSON.parse(JSON.stringify(toSearch(filters))) as Record<string, unknown>;

describe('toSearch', () => {
  it('asks for everything, newest first, at the start', () => {
    expect(wire(INITIAL)).toEqual({ sort: 'study_datetime', descending: true, offset: 0, limit: 20 });
  });

  it('leaves presets to the server clock and never mixes them with dates', () => {
    const preset = wire({ ...INITIAL, date: '3d', from: '2026-01-01', to: '2026-01-02' });
    expect(preset).toMatchObject({ preset: '3d' });
    expect(preset).not.toHaveProperty('date_from');
    const custom = wire({ ...INITIAL, date: 'custom', from: '2026-01-01', to: '2026-01-02' });
    expect(custom).toMatchObject({ date_from: '2026-01-01', date_to: '2026-01-02' });
    expect(custom).not.toHaveProperty('preset');
  });

  it('trims text and counts the offset from the page', () => {
    const search = wire({ ...INITIAL, name: '  cs ', accession: ' ', page: 3, pageSize: 50 });
    expect(search).toMatchObject({ name: 'cs', offset: 100, limit: 50 });
    expect(search).not.toHaveProperty('accession_number');
  });
});

it('knows when a condition is set', () => {
  expect(isFiltered(INITIAL)).toBe(false);
  expect(isFiltered({ ...INITIAL, page: 4, sort: 'modality' })).toBe(false);
  expect(isFiltered({ ...INITIAL, modalities: ['CT'] })).toBe(true);
});
