import { WarningOutlined } from '@ant-design/icons';
import type { ReactNode } from 'react';
import { useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { StateMessage } from '@/ui';
import { clearMeasurements } from './engine';
import { HotkeyDialog } from './hotkeys/HotkeyDialog';
import type { Action } from './hotkeys/keymap';
import { useHotkeys } from './hotkeys/useHotkeys';
import styles from './ImageViewer.module.css';
import { Pane } from './pane/Pane';
import type { PatientLabels } from './pane/Overlay';
import { perform } from './perform';
import { Toolbar } from './toolbar/Toolbar';
import { useEngine } from './useEngine';
import type { ViewerSeries } from './viewerStore';
import { useViewerStore } from './viewerStore';

interface Props {
  readonly patient: PatientLabels;
  /** All series that can be shown as images. */
  readonly series: readonly ViewerSeries[];
  /** The series the address asks for; shown in the active pane. */
  readonly wanted: string | undefined;
  readonly onWant: (seriesUid: string) => void;
  readonly onUnauthorized: () => void;
  readonly onToggleNavigator: () => void;
  readonly toolbarStart?: ReactNode;
  /** Handle and document that share the stage with the images. */
  readonly beside?: ReactNode;
  /** Whether what stands beside takes the whole stage; the images stay loaded behind it. */
  readonly besideOnly?: boolean;
}

function clear(): void {
  clearMeasurements();
  useViewerStore.getState().views.forEach((view) => view?.redraw());
}

/** Toolbar and panes: where images are read. */
export function ImageViewer(props: Props) {
  const { patient, series, wanted, onWant, onUnauthorized, onToggleNavigator, toolbarStart } = props;
  const { beside, besideOnly = false } = props;
  const { t } = useTranslation();
  const { info, failed } = useEngine(onUnauthorized);
  const layout = useViewerStore((state) => state.layout);
  const active = useViewerStore((state) => state.active);
  const shown = useViewerStore((state) => state.panes[state.active]?.seriesUid);
  const assign = useViewerStore((state) => state.assign);
  const refresh = useViewerStore((state) => state.refresh);
  const [help, setHelp] = useState(false);

  useEffect(() => refresh(series), [refresh, series]);

  useEffect(() => {
    const found = series.find((item) => item.seriesUid === wanted);
    if (found && found.seriesUid !== shown) assign(active, found);
    // Only a change of the address puts a series in the pane; clicking another pane does not.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [wanted, series]);

  const drop = useCallback(
    (pane: number, seriesUid: string) => {
      const found = series.find((item) => item.seriesUid === seriesUid);
      if (!found) return;
      assign(pane, found);
      onWant(seriesUid);
    },
    [series, assign, onWant],
  );

  const act = useCallback(
    (action: Action) => {
      if (action.kind === 'help') setHelp(true);
      else if (action.kind === 'navigator') onToggleNavigator();
      else if (action.kind === 'series') {
        const at = series.findIndex((item) => item.seriesUid === shown);
        const next = series[at + action.delta];
        if (next) drop(active, next.seriesUid);
      } else perform(action);
    },
    [series, shown, active, drop, onToggleNavigator],
  );
  useHotkeys(act);

  return (
    <div
      className={styles['viewer']}
      data-beside={beside ? (besideOnly ? 'only' : 'split') : 'none'}
      role="region"
      aria-label={t('viewer.label')}
    >
      <Toolbar act={act} onClear={clear} start={toolbarStart} />
      {info && !info.webgl ? (
        <p className={styles['notice']} role="status">
          <WarningOutlined aria-hidden /> {t('viewer.cpu')}
        </p>
      ) : null}
      <div className={styles['stage']}>
        {failed ? (
          <StateMessage icon={<WarningOutlined />} role="alert" title={t('viewer.failed_title')}>
            {t('viewer.engine_failed')}
          </StateMessage>
        ) : (
          <div className={styles['grid']} data-layout={layout}>
            {Array.from({ length: layout }, (_, pane) => (
              <Pane
                key={pane}
                pane={pane}
                patient={patient}
                engineReady={info !== null}
                onDropSeries={drop}
              />
            ))}
          </div>
        )}
        {beside}
      </div>
      <HotkeyDialog open={help} onClose={() => setHelp(false)} />
    </div>
  );
}
