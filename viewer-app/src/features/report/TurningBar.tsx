import {
  ColumnWidthOutlined,
  DownOutlined,
  RotateRightOutlined,
  UpOutlined,
  ZoomInOutlined,
  ZoomOutOutlined,
} from '@ant-design/icons';
import { InputNumber } from 'antd';
import { useTranslation } from 'react-i18next';
import { IconButton } from '@/ui';
import styles from './Report.module.css';
import type { Turning } from './useTurning';

interface Props {
  readonly turning: Turning;
  readonly pages?: {
    readonly page: number;
    readonly count: number;
    readonly goTo: (page: number) => void;
  };
}

/** Turning pages, zoom and rotation. */
export function TurningBar({ turning, pages }: Props) {
  const { t } = useTranslation();
  return (
    <div className={styles['bar']} role="toolbar" aria-label={t('report.toolbar')}>
      {pages ? (
        <>
          <IconButton
            label={t('report.previous_page')}
            icon={<UpOutlined />}
            disabled={pages.page <= 1}
            onClick={() => pages.goTo(pages.page - 1)}
          />
          <IconButton
            label={t('report.next_page')}
            icon={<DownOutlined />}
            disabled={pages.page >= pages.count}
            onClick={() => pages.goTo(pages.page + 1)}
          />
          <InputNumber
            size="small"
            className={styles['page']}
            aria-label={t('report.page')}
            min={1}
            max={pages.count}
            controls={false}
            value={pages.page}
            onChange={(value) => value && pages.goTo(value)}
          />
          <span className={`${styles['of']} num`}>{t('report.of', { count: pages.count })}</span>
          <span className={styles['gap']} />
        </>
      ) : null}
      <IconButton label={t('report.zoom_out')} icon={<ZoomOutOutlined />} onClick={turning.zoomOut} />
      <span className={`${styles['percent']} num`}>{Math.round(turning.scale * 100)}%</span>
      <IconButton label={t('report.zoom_in')} icon={<ZoomInOutlined />} onClick={turning.zoomIn} />
      <IconButton label={t('report.fit')} icon={<ColumnWidthOutlined />} onClick={turning.fit} />
      <IconButton label={t('report.rotate')} icon={<RotateRightOutlined />} onClick={turning.rotate} />
    </div>
  );
}
