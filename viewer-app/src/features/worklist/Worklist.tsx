import { InboxOutlined } from '@ant-design/icons';
import { Pagination, Table } from 'antd';
import type { SorterResult } from 'antd/es/table/interface';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { StudyRow } from '@/api';
import { ErrorState, Spinner, StateMessage, useElementHeight, useIsNarrow } from '@/ui';
import { columnsFor, DEFAULT_WIDTHS, SORTS } from './columns';
import { FilterBar } from './FilterBar';
import { isFiltered } from './filters';
import { LiveMark } from './LiveMark';
import { ResizableTitle } from './ResizableTitle';
import { StudyCards } from './StudyCards';
import { useColumnWidths } from './useColumnWidths';
import { useWorklist } from './useWorklist';
import styles from './Worklist.module.css';

interface Props {
  /** Whose conditions these are; another owner starts afresh. */
  readonly owner: string;
  readonly hrefOf: (studyUid: string) => string;
  readonly onOpen: (studyUid: string) => void;
}

const HEADER_HEIGHT = 39;

/** The list of examinations: find, sort, page, open. */
export function Worklist({ owner, hrefOf, onOpen }: Props) {
  const { t } = useTranslation();
  const { filters, change, clear, query } = useWorklist(owner);
  const { widthOf, setWidth } = useColumnWidths(DEFAULT_WIDTHS);
  const { ref, height } = useElementHeight();
  const narrow = useIsNarrow();
  const columns = useMemo(
    () => columnsFor({ t, filters, hrefOf, onOpen, widthOf, setWidth }),
    [t, filters, hrefOf, onOpen, widthOf, setWidth],
  );
  const page = query.data;
  const total = page?.total ?? 0;
  const rows = page?.items ?? [];

  function body() {
    if (!page && query.error) {
      return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
    }
    if (!page) return <Spinner label={t('app.loading')} shown />;
    if (rows.length === 0) {
      const filtered = isFiltered(filters);
      return (
        <StateMessage
          icon={<InboxOutlined />}
          title={t('worklist.empty_title')}
          action={filtered ? { label: t('worklist.clear'), onClick: clear } : undefined}
        >
          {t(filtered ? 'worklist.empty_filtered' : 'worklist.empty_all')}
        </StateMessage>
      );
    }
    if (narrow) return <StudyCards rows={rows} hrefOf={hrefOf} onOpen={onOpen} />;
    const width = Object.keys(DEFAULT_WIDTHS).reduce((sum, key) => sum + widthOf(key), 0);
    return (
      <Table<StudyRow>
        className={styles['table']}
        size="small"
        rowKey="study_uid"
        columns={columns}
        dataSource={rows as StudyRow[]}
        components={{ header: { cell: ResizableTitle } }}
        pagination={false}
        tableLayout="fixed"
        scroll={{ x: width, y: Math.max(160, height - HEADER_HEIGHT) }}
        onRow={(row) => ({ onClick: () => onOpen(row.study_uid) })}
        onChange={(_pagination, _filters, sorter) => {
          const { columnKey, order } = sorter as SorterResult<StudyRow>;
          const sort = SORTS[String(columnKey)];
          if (sort) change({ sort, descending: order !== 'ascend' });
        }}
      />
    );
  }

  return (
    <div className={styles['page']}>
      <h1 className="visually-hidden">{t('worklist.title')}</h1>
      <FilterBar filters={filters} change={change} clear={clear} />
      <section
        className={styles['panel']}
        aria-label={t('worklist.caption')}
        data-refreshing={query.isPlaceholderData}
      >
        <div className={styles['body']} ref={ref}>
          {body()}
        </div>
        <footer className={styles['foot']}>
          <LiveMark query={query} />
          <span className={styles['total']} role="status">
            {page ? t('worklist.total', { count: total }) : ''}
          </span>
          <Pagination
            size="small"
            current={filters.page}
            pageSize={filters.pageSize}
            total={total}
            showSizeChanger={!narrow}
            pageSizeOptions={[20, 50, 100]}
            showLessItems={narrow}
            onChange={(next, pageSize) =>
              change({ pageSize, page: pageSize === filters.pageSize ? next : 1 })
            }
          />
        </footer>
      </section>
    </div>
  );
}
