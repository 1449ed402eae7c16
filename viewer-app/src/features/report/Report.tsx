import { CloseOutlined, FileUnknownOutlined, LeftOutlined, RightOutlined } from '@ant-design/icons';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Content } from '@/api';
import { saySize } from '@/i18n/words';
import { ErrorState, IconButton, Spinner, StateMessage } from '@/ui';
import { kindOf } from './kinds';
import { PdfView } from './PdfView';
import { PictureView } from './PictureView';
import type { ReportSource } from './report.api';
import { useReportContent } from './report.api';
import styles from './Report.module.css';
import { TextView } from './TextView';
import { XmlView } from './XmlView';

/** A document as the page knows it before its bytes arrive. */
export interface ReportItem {
  readonly key: string;
  readonly title: string;
  readonly detail: string;
  readonly deprecated: boolean;
  readonly sizeBytes: number | null;
  readonly source: ReportSource;
}

interface Props {
  readonly item: ReportItem;
  readonly onClose?: () => void;
  readonly onPrevious?: () => void;
  readonly onNext?: () => void;
}

/** One document: its name, what it is, and the original content. */
export function Report({ item, onClose, onPrevious, onNext }: Props) {
  const { t } = useTranslation();
  const query = useReportContent(item.source);
  return (
    <section
      className={styles['report']}
      aria-label={`${t('report.label')}: ${item.title}`}
      // Keys pressed while reading a document turn its pages, not the images.
      onKeyDown={(event) => event.stopPropagation()}
    >
      <header className={styles['head']}>
        <div className={styles['words']}>
          <h2 className={styles['title']}>{item.title}</h2>
          <p className={`${styles['detail']} num`}>
            {[item.detail, saySize(item.sizeBytes)].filter(Boolean).join(' · ')}
          </p>
        </div>
        <IconButton
          label={t('report.previous_document')}
          icon={<LeftOutlined />}
          disabled={!onPrevious}
          onClick={onPrevious}
        />
        <IconButton
          label={t('report.next_document')}
          icon={<RightOutlined />}
          disabled={!onNext}
          onClick={onNext}
        />
        {onClose ? (
          <IconButton label={t('report.close')} icon={<CloseOutlined />} onClick={onClose} />
        ) : null}
      </header>
      {item.deprecated ? (
        <p className={styles['deprecated']} role="status">
          {t('report.deprecated')}
        </p>
      ) : null}
      <div className={styles['body']}>
        {query.isPending ? <Spinner label={t('report.loading')} shown /> : null}
        {query.error ? (
          <ErrorState error={query.error} onRetry={() => void query.refetch()} />
        ) : null}
        {query.data ? <Shown key={item.key} content={query.data} title={item.title} /> : null}
      </div>
    </section>
  );
}

function Shown({ content, title }: { content: Content; title: string }) {
  const { t } = useTranslation();
  const [broken, setBroken] = useState(false);
  const kind = kindOf(content.mimeType);
  if (broken) {
    return (
      <StateMessage icon={<FileUnknownOutlined />} role="alert" title={t('report.broken_title')}>
        {t('report.broken', { kind: kind.toUpperCase() })}
      </StateMessage>
    );
  }
  const onBroken = () => setBroken(true);
  switch (kind) {
    case 'pdf':
      return <PdfView bytes={content.bytes} onBroken={onBroken} />;
    case 'image':
      return <PictureView content={content} title={title} onBroken={onBroken} />;
    case 'xml':
      return <XmlView bytes={content.bytes} onBroken={onBroken} />;
    case 'text':
      return <TextView bytes={content.bytes} />;
    default:
      return (
        <StateMessage icon={<FileUnknownOutlined />} title={t('report.unsupported_title')}>
          {t('report.unsupported', { mime: content.mimeType || '?' })}
        </StateMessage>
      );
  }
}
