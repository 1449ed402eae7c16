import type { TFunction } from 'i18next';
import type { TableColumnsType } from 'antd';
import type { SortField, StudyRow } from '@/api';
import { ageOn, alphabeticName, personName, sayAge, sayBodyPart, sayDateTime, saySex } from '@/i18n/words';
import type { Filters } from './filters';
import { ModalityMark, StatusMark } from './marks';
import type { ResizeProps } from './ResizableTitle';
import styles from './Worklist.module.css';

/** Widths the list opens with. */
export const DEFAULT_WIDTHS = {
  name: 132, sex: 76, age: 66, patient_id: 106, time: 148, type: 106, body: 96,
  description: 168, accession: 122, status: 104, images: 104,
};

type ColumnKey = keyof typeof DEFAULT_WIDTHS;

interface Options {
  readonly t: TFunction;
  readonly filters: Filters;
  readonly hrefOf: (studyUid: string) => string;
  readonly onOpen: (studyUid: string) => void;
  readonly widthOf: (key: string) => number;
  readonly setWidth: (key: string, width: number) => void;
}

/** Which server order belongs to which column. */
export const SORTS: Readonly<Record<string, SortField>> = {
  name: 'patient_name',
  time: 'study_datetime',
  type: 'modality',
};

const age = (t: TFunction, row: StudyRow) =>
  sayAge(t, ageOn(row.patient_age, row.patient_birth_date, row.study_datetime));

/** The columns of the examination list. */
export function columnsFor(options: Options): TableColumnsType<StudyRow> {
  const { t, filters, hrefOf, onOpen, widthOf, setWidth } = options;
  const column = (key: ColumnKey, render: (row: StudyRow) => React.ReactNode, ellipsis = true) => {
    const title = t(`worklist.column.${key}`);
    const sort = SORTS[key];
    const order = filters.descending ? ('descend' as const) : ('ascend' as const);
    return {
      key,
      title,
      width: widthOf(key),
      ellipsis,
      render: (_value: unknown, row: StudyRow) => render(row),
      ...(sort
        ? {
            sorter: true,
            sortOrder: filters.sort === sort ? order : null,
            sortDirections: ['descend' as const, 'ascend' as const, 'descend' as const],
            showSorterTooltip: false,
          }
        : {}),
      onHeaderCell: () =>
        ({
          resizeLabel: t('worklist.resize', { column: title }),
          resizeWidth: widthOf(key),
          onResizeWidth: (width: number) => setWidth(key, width),
        }) as ResizeProps & React.ThHTMLAttributes<HTMLTableCellElement>,
    };
  };

  const name = (row: StudyRow) => {
    const shown = personName(row);
    const latin = alphabeticName(row.patient_name);
    return (
      <a
        className={styles['person']}
        href={hrefOf(row.study_uid)}
        aria-label={t('worklist.open', { name: shown })}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          event.stopPropagation();
          onOpen(row.study_uid);
        }}
      >
        <span className={styles['personName']}>{shown}</span>
        {latin === shown ? null : <span className={styles['latin']}>{latin}</span>}
      </a>
    );
  };

  return [
    column('name', name),
    column('sex', (row) => saySex(t, row.patient_sex)),
    column('age', (row) => <span className="num">{age(t, row)}</span>),
    column('patient_id', (row) => <span className="num">{row.patient_id}</span>),
    column('time', (row) => <span className="num">{sayDateTime(row.study_datetime)}</span>),
    column('type', (row) => row.modalities.map((code) => <ModalityMark key={code} code={code} />), false),
    column('body', (row) => row.body_parts.map((code) => sayBodyPart(t, code)).join('、') || '—'),
    column('description', (row) => row.study_description || '—'),
    column('accession', (row) => <span className="num">{row.accession_number || '—'}</span>),
    column('status', (row) => <StatusMark status={row.status} />, false),
    column('images', (row) => (
      <span className="num" aria-label={t('worklist.counts', { series: row.series_count, images: row.instance_count })}>
        {row.series_count} / {row.instance_count}
      </span>
    )),
  ];
}
