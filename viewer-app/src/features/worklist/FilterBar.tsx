import { ClearOutlined, SearchOutlined } from '@ant-design/icons';
import { Button, DatePicker, Input, Segmented, Select } from 'antd';
import dayjs from 'dayjs';
import { useTranslation } from 'react-i18next';
import { sayModality } from '@/i18n/words';
import type { DateChoice, Filters } from './filters';
import { DATE_CHOICES, isFiltered, MODALITIES } from './filters';
import styles from './Worklist.module.css';

interface Props {
  readonly filters: Filters;
  readonly change: (change: Partial<Filters>) => void;
  readonly clear: () => void;
}

const day = (value: string | null) => (value ? dayjs(value) : null);

/** The conditions of the list. */
export function FilterBar({ filters, change, clear }: Props) {
  const { t } = useTranslation();
  const field = (key: 'name' | 'patientId' | 'accession', label: string, width: number) => (
    <Input
      className={styles['field']}
      style={{ width }}
      value={filters[key]}
      placeholder={label}
      aria-label={label}
      allowClear
      maxLength={128}
      autoComplete="off"
      spellCheck={false}
      prefix={<SearchOutlined className={styles['dim']} />}
      onChange={(event) => change({ [key]: event.target.value })}
    />
  );
  return (
    <search className={styles['filters']} aria-label={t('worklist.filter.label')}>
      <Segmented<DateChoice>
        aria-label={t('worklist.filter.date')}
        value={filters.date}
        options={DATE_CHOICES.map((value) => ({ value, label: t(`worklist.preset.${value}`) }))}
        onChange={(date) => change({ date })}
      />
      {filters.date === 'custom' ? (
        <DatePicker.RangePicker
          className={styles['range']}
          value={[day(filters.from), day(filters.to)]}
          allowEmpty={[true, true]}
          placeholder={[t('worklist.filter.from'), t('worklist.filter.to')]}
          onChange={(range) =>
            change({
              from: range?.[0]?.format('YYYY-MM-DD') ?? null,
              to: range?.[1]?.format('YYYY-MM-DD') ?? null,
            })
          }
        />
      ) : null}
      {field('name', t('worklist.filter.name'), 150)}
      {field('patientId', t('worklist.filter.patient_id'), 130)}
      {field('accession', t('worklist.filter.accession'), 156)}
      <Select
        className={styles['modalities']}
        mode="multiple"
        allowClear
        maxTagCount="responsive"
        value={[...filters.modalities]}
        placeholder={t('worklist.filter.any_modality')}
        aria-label={t('worklist.filter.modality')}
        options={MODALITIES.map((code) => ({
          value: code,
          label: sayModality(t, code) === code ? code : `${code} ${sayModality(t, code)}`,
        }))}
        optionLabelProp="value"
        onChange={(modalities: string[]) => change({ modalities })}
      />
      {isFiltered(filters) ? (
        <Button type="text" icon={<ClearOutlined />} onClick={clear}>
          {t('worklist.filter.reset')}
        </Button>
      ) : null}
    </search>
  );
}
