import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import '@/i18n';
import type { StudyRow } from '@/api';
import { zhCN } from '@/i18n/zh-CN';
import { StudyHeader } from './StudyHeader';

const study: StudyRow = {
  study_uid: '1.2.3',
  patient_key: 'k1',
  patient_name: 'TEST^ALPHA',
  patient_name_ideographic: '测试甲',
  patient_id: 'P100001',
  patient_sex: 'F',
  patient_age: null, patient_birth_date: '1968-03-12',
  accession_number: 'A1',
  study_datetime: '2026-11-24T10:32:05',
  study_description: '胸部CT平扫',
  modalities: ['CT'],
  body_parts: ['CHEST'],
  status: 'published',
  series_count: 2,
  instance_count: 72,
  received_at: '2026-11-24T10:36:00',
};

it('shows the seven facts with their names', () => {
  render(<StudyHeader study={study} />);
  for (const key of ['name', 'sex', 'registration', 'birth', 'date', 'type', 'order'] as const) {
    expect(screen.getByText(zhCN.study[key])).toBeTruthy();
  }
  for (const value of ['测试甲', 'P100001', '1968-03-12', '2026-11-24 10:32', 'CT · 胸部', '胸部CT平扫 · A1']) {
    expect(screen.getByText(value)).toBeTruthy();
  }
  expect(screen.getByText('58岁')).toBeTruthy();
});
