import { DownOutlined } from '@ant-design/icons';
import { Dropdown } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '@/ui';
import type { ToolName } from '../engine';
import type { Action } from '../hotkeys/keymap';
import { TOOL_KEYS } from '../hotkeys/keymap';
import { presetsFor } from '../presets';
import { useViewState } from '../useViewState';
import type { Layout } from '../viewerStore';
import { useViewerStore } from '../viewerStore';
import { icons } from './icons';
import styles from './Toolbar.module.css';

interface Props {
  readonly act: (action: Action) => void;
  readonly onClear: () => void;
  /** Shown at the left end, e.g. the navigator's switch. */
  readonly start?: ReactNode;
}

const NAVIGATE: readonly ToolName[] = ['window', 'scroll', 'pan', 'zoom'];
const MEASURE: readonly ToolName[] = ['length', 'angle', 'rectangle', 'probe'];
const LAYOUTS: readonly Layout[] = [1, 2, 4];

/** The row of tools above the pictures. */
export function Toolbar({ act, onClear, start }: Props) {
  const { t } = useTranslation();
  const tool = useViewerStore((state) => state.tool);
  const layout = useViewerStore((state) => state.layout);
  const overlay = useViewerStore((state) => state.overlay);
  const setLayout = useViewerStore((state) => state.setLayout);
  const series = useViewerStore((state) => state.panes[state.active] ?? null);
  const state = useViewState(useViewerStore((store) => store.views[store.active] ?? null));
  const presets = presetsFor(series?.modality ?? '');
  const idle = state.phase !== 'shown';

  const toolButton = (name: ToolName) => (
    <IconButton
      key={name}
      label={t(`viewer.tool.${name}`)}
      hotkey={TOOL_KEYS[name]}
      icon={icons[name]}
      pressed={tool === name}
      onClick={() => act({ kind: 'tool', tool: name })}
    />
  );

  return (
    <div className={styles['bar']} role="toolbar" aria-label={t('viewer.toolbar')}>
      {start}
      <div className={styles['group']}>
        {NAVIGATE.map(toolButton)}
        <Dropdown
          trigger={['click']}
          disabled={idle}
          menu={{
            items: [
              ...presets.map((preset, index) => ({
                key: preset.name,
                label: (
                  <span className={styles['preset']}>
                    <span>{t(`viewer.preset.${preset.name}`)}</span>
                    <small className="num">
                      {preset.width} / {preset.center}
                    </small>
                    <kbd>{index + 1}</kbd>
                  </span>
                ),
                onClick: () => act({ kind: 'preset', index }),
              })),
              ...(presets.length ? [{ type: 'divider' as const }] : []),
              {
                key: 'default',
                label: (
                  <span className={styles['preset']}>
                    <span>{t('viewer.default_window')}</span>
                    <small />
                    <kbd>0</kbd>
                  </span>
                ),
                onClick: () => act({ kind: 'default_window' }),
              },
            ],
          }}
        >
          <button type="button" className={styles['presets']} disabled={idle}>
            {t('viewer.presets')} <DownOutlined aria-hidden />
          </button>
        </Dropdown>
      </div>
      <div className={styles['group']}>
        {MEASURE.map(toolButton)}
        <IconButton label={t('viewer.clear')} icon={icons.clear} onClick={onClear} />
      </div>
      <div className={styles['group']}>
        <IconButton
          label={t('viewer.invert')}
          hotkey="I"
          icon={icons.invert}
          pressed={state.inverted}
          disabled={idle}
          onClick={() => act({ kind: 'invert' })}
        />
        <IconButton
          label={t('viewer.rotate')}
          hotkey="R"
          icon={icons.rotate}
          disabled={idle}
          onClick={() => act({ kind: 'rotate' })}
        />
        <IconButton
          label={t('viewer.flip')}
          hotkey="H"
          icon={icons.flip}
          disabled={idle}
          onClick={() => act({ kind: 'flip' })}
        />
        <IconButton
          label={t('viewer.reset')}
          hotkey="X"
          icon={icons.reset}
          disabled={idle}
          onClick={() => act({ kind: 'reset' })}
        />
        <IconButton
          label={t(state.playing ? 'viewer.pause' : 'viewer.play')}
          hotkey="Space"
          icon={state.playing ? icons.pause : icons.play}
          disabled={idle || state.count < 2}
          onClick={() => act({ kind: 'cine' })}
        />
      </div>
      <div className={styles['group']} role="group" aria-label={t('viewer.layout')}>
        {LAYOUTS.map((value) => (
          <IconButton
            key={value}
            label={t(`viewer.layout_${value}`)}
            icon={icons[`layout${value}`]}
            pressed={layout === value}
            onClick={() => setLayout(value)}
          />
        ))}
      </div>
      <div className={styles['group']}>
        <IconButton
          label={t('viewer.overlay')}
          hotkey="O"
          icon={icons.overlay}
          pressed={overlay}
          onClick={() => act({ kind: 'overlay' })}
        />
        <IconButton
          label={t('viewer.help')}
          hotkey="?"
          icon={icons.help}
          onClick={() => act({ kind: 'help' })}
        />
      </div>
    </div>
  );
}
