import { describe, expect, it } from 'vitest';
import { ageOn, alphabeticName, personName, sayDateTime, saySize } from './words';

describe('ageOn', () => {
  it('believes the file first', () => {
    expect(ageOn('045Y', '2000-01-01', '2026-01-01')).toEqual({ unit: 'years', count: 45 });
    expect(ageOn('003W', null, null)).toEqual({ unit: 'days', count: 21 });
  });

  it('counts whole years, turning on the birthday', () => {
    expect(ageOn(null, '1968-03-12', '2026-03-11T23:59:00')).toEqual({ unit: 'years', count: 57 });
    expect(ageOn(null, '1968-03-12', '2026-03-12T00:00:00')).toEqual({ unit: 'years', count: 58 });
  });

  it('says months to small children and days to the newborn', () => {
    expect(ageOn(null, '2025-06-30', '2026-11-24')).toEqual({ unit: 'months', count: 16 });
    expect(ageOn(null, '2026-11-20', '2026-11-24')).toEqual({ unit: 'days', count: 4 });
    expect(ageOn(null, '2026-01-31', '2026-03-01')).toEqual({ unit: 'months', count: 1 });
  });

  it('says nothing rather than nonsense', () => {
    expect(ageOn(null, null, '2026-11-24')).toBeNull();
    expect(ageOn(null, '2030-01-01', '2026-11-24')).toBeNull();
    expect(ageOn('', 'rubbish', '2026-11-24')).toBeNull();
  });
});

describe('names and values', () => {
  it('prefers characters and drops separators', () => {
    expect(personName({ patient_name: 'TEST^ALPHA', patient_name_ideographic: '测试^甲' })).toBe('测试 甲');
    expect(personName({ patient_name: 'TEST^ALPHA^^' })).toBe('TEST ALPHA');
    expect(alphabeticName('TEST^ALPHA=测试甲')).toBe('TEST ALPHA');
    expect(alphabeticName('')).toBe('—');
  });

  it('shows local time as sent', () => {
    expect(sayDateTime('2026-11-24T10:32:05')).toBe('2026-11-24 10:32');
    expect(sayDateTime(null)).toBe('—');
  });

  it('rounds sizes', () => {
    expect([saySize(900), saySize(2048), saySize(5_500_000), saySize(null)]).toEqual([
      '900 B', '2 KB', '5.2 MB', '',
    ]);
  });
});
