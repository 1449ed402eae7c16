import { FileImageOutlined, WarningOutlined } from '@ant-design/icons';
import type { DragEvent } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { renderedPath } from '@/api';
import { ErrorState, Spinner, StateMessage } from '@/ui';
import { CineBar } from '../cine/CineBar';
import { SERIES_DRAG_TYPE } from '../dragSeries';
import { useViewState } from '../useViewState';
import { useViewerStore } from '../viewerStore';
import type { PatientLabels } from './Overlay';
import { Overlay } from './Overlay';
import styles from './Pane.module.css';
import { SliceSlider } from './SliceSlider';
import { usePane } from './usePane';

interface Props {
  readonly pane: number;
  readonly patient: PatientLabels;
  readonly engineReady: boolean;
  readonly onDropSeries: (pane: number, seriesUid: string) => void;
}

/** One picture with its text, slider, film bar and states. */
export function Pane({ pane, patient, engineReady, onDropSeries }: Props) {
  const { t } = useTranslation();
  const series = useViewerStore((store) => store.panes[pane] ?? null);
  const active = useViewerStore((store) => store.active === pane);
  const single = useViewerStore((store) => store.layout === 1);
  const overlay = useViewerStore((store) => store.overlay);
  const activate = useViewerStore((store) => store.activate);
  const { element, view, metadata, empty, retry } = usePane(pane, series, engineReady);
  const state = useViewState(view);
  const [over, setOver] = useState(false);
  const [previewed, setPreviewed] = useState<string>();

  const accepts = (event: DragEvent) => event.dataTransfer.types.includes(SERIES_DRAG_TYPE);
  const failed = state.phase === 'failed' || empty || metadata.isError;
  const broken = series !== null && failed && state.phase !== 'shown';
  const waiting = series !== null && state.phase !== 'shown' && !failed;

  return (
    <section
      className={styles['pane']}
      data-active={active && !single}
      data-over={over}
      aria-label={t('viewer.pane', { number: pane + 1 })}
      onPointerDownCapture={() => activate(pane)}
      onContextMenu={(event) => event.preventDefault()}
      onDragOver={(event) => {
        if (!accepts(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        const uid = event.dataTransfer.getData(SERIES_DRAG_TYPE);
        if (uid) onDropSeries(pane, uid);
      }}
    >
      <div
        ref={element}
        className={styles['canvas']}
        data-image
        data-testid="canvas"
        data-phase={state.phase}
        hidden={series === null}
      />
      {series && state.phase !== 'shown' && series.representativeSopUid ? (
        <Preview
          key={series.seriesUid}
          src={renderedPath(series.studyUid, series.seriesUid, series.representativeSopUid)}
          onShown={() => setPreviewed(series.seriesUid)}
        />
      ) : null}
      {series && overlay && state.phase === 'shown' ? (
        <Overlay patient={patient} series={series} state={state} />
      ) : null}
      {view && series && state.phase === 'shown' ? (
        <>
          <SliceSlider view={view} state={state} />
          {state.count > 1 ? <CineBar view={view} state={state} /> : null}
          <span className="visually-hidden" aria-live="polite">
            {active && !state.playing
              ? t('viewer.announce', { index: state.index + 1, count: state.count })
              : ''}
          </span>
        </>
      ) : null}
      {waiting ? (
        <div className={styles['waiting']}>
          <Spinner label={t('viewer.loading')} shown />
        </div>
      ) : null}
      {broken && previewed === series.seriesUid ? (
        <div className={styles['banner']} role="alert">
          <WarningOutlined aria-hidden />
          <span>{t('viewer.preview_failed')}</span>
          <button type="button" onClick={retry}>
            {t('state.retry')}
          </button>
        </div>
      ) : broken && metadata.error ? (
        <div className={styles['cover']}>
          <ErrorState error={metadata.error} onRetry={retry} />
        </div>
      ) : broken ? (
        <div className={styles['cover']}>
          <StateMessage
            icon={<WarningOutlined />}
            role="alert"
            title={t('viewer.failed_title')}
            action={{ label: t('state.retry'), onClick: retry }}
          >
            {t('viewer.failed')}
          </StateMessage>
        </div>
      ) : null}
      {series === null ? (
        <StateMessage icon={<FileImageOutlined />} title={t('viewer.empty_pane')} compact />
      ) : null}
    </section>
  );
}

/** The server's own picture, there before the first pixel is decoded. */
function Preview({ src, onShown }: { src: string; onShown: () => void }) {
  const [broken, setBroken] = useState(false);
  if (broken) return null;
  return (
    <img
      className={styles['preview']}
      src={src}
      alt=""
      onLoad={onShown}
      onError={() => setBroken(true)}
    />
  );
}
