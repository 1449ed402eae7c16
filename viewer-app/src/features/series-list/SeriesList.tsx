import { FileImageOutlined, FilePdfOutlined } from '@ant-design/icons';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SeriesRow } from '@/api';
import { thumbnailPath } from '@/api';
import { StateMessage } from '@/ui';
import styles from './SeriesList.module.css';

interface Props {
  readonly studyUid: string;
  readonly series: readonly SeriesRow[];
  /** Series on screen now. */
  readonly displayed: readonly string[];
  /** Kind under which a dragged series announces itself to a pane. */
  readonly dragType: string;
  readonly onOpen: (series: SeriesRow) => void;
}

/** The series of one examination with their previews. */
export function SeriesList({ studyUid, series, displayed, dragType, onOpen }: Props) {
  const { t } = useTranslation();
  if (series.length === 0) {
    return <StateMessage compact icon={<FileImageOutlined />} title={t('navigator.no_series')} />;
  }
  return (
    <ul className={styles['list']}>
      {series.map((item) => (
        <li key={item.series_uid}>
          <button
            type="button"
            className={styles['series']}
            aria-pressed={displayed.includes(item.series_uid)}
            disabled={item.viewable === 'none'}
            title={t(item.viewable === 'none' ? 'navigator.not_viewable' : 'navigator.drag_hint')}
            draggable={item.viewable === 'image'}
            onDragStart={(event) => {
              event.dataTransfer.setData(dragType, item.series_uid);
              event.dataTransfer.effectAllowed = 'copy';
            }}
            onClick={() => onOpen(item)}
          >
            <Thumbnail studyUid={studyUid} item={item} />
            <span className={styles['words']}>
              <span className={styles['title']}>
                {item.description || t('navigator.unnamed')}
              </span>
              <span className={styles['detail']}>
                {item.modality}
                {item.series_number === null
                  ? ''
                  : ` · ${t('navigator.series_label', { number: item.series_number })}`}
              </span>
              <span className={`${styles['detail']} num`}>{amount(item)}</span>
            </span>
          </button>
        </li>
      ))}
    </ul>
  );

  function amount(item: SeriesRow): string {
    const frames = item.representative?.frames ?? 1;
    if (item.viewable === 'document') return t('navigator.document');
    if (item.viewable === 'none') return t('navigator.not_viewable');
    return item.instance_count === 1 && frames > 1
      ? t('navigator.frames', { count: frames })
      : t('navigator.images', { count: item.instance_count });
  }
}

function Thumbnail({ studyUid, item }: { studyUid: string; item: SeriesRow }) {
  const [broken, setBroken] = useState(false);
  const document = item.viewable === 'document';
  return (
    <span className={styles['thumbnail']} data-document={document} aria-hidden>
      {broken || item.viewable !== 'image' ? (
        document ? (
          <FilePdfOutlined />
        ) : (
          <FileImageOutlined />
        )
      ) : (
        <img
          src={thumbnailPath(studyUid, item.series_uid, item.representative?.sop_uid)}
          alt=""
          loading="lazy"
          decoding="async"
          draggable={false}
          onError={() => setBroken(true)}
        />
      )}
    </span>
  );
}
