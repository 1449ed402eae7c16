import { Modal } from 'antd';
import { useTranslation } from 'react-i18next';
import type { ToolName } from '../engine';
import { CT_PRESETS } from '../presets';
import styles from './HotkeyDialog.module.css';
import { TOOL_KEYS } from './keymap';

interface Props {
  readonly open: boolean;
  readonly onClose: () => void;
}

type Line = readonly [keys: string, meaning: string];

/** All keys on one page. */
export function HotkeyDialog({ open, onClose }: Props) {
  const { t } = useTranslation();
  const groups: readonly (readonly [string, readonly Line[]])[] = [
    [
      t('hotkeys.tools'),
      (Object.keys(TOOL_KEYS) as ToolName[]).map((tool) => [TOOL_KEYS[tool], t(`viewer.tool.${tool}`)]),
    ],
    [
      t('hotkeys.view'),
      [
        ['I', t('viewer.invert')],
        ['R', t('viewer.rotate')],
        ['H', t('viewer.flip')],
        ['X', t('viewer.reset')],
        ['O', t('viewer.overlay')],
        ['N', t('study.show_navigator')],
        ['Delete', t('hotkeys.delete')],
        ['?', t('hotkeys.help')],
      ],
    ],
    [
      t('hotkeys.navigate'),
      [
        ['↑ ↓', `${t('viewer.previous')} / ${t('viewer.next')}`],
        ['PgUp PgDn', t('hotkeys.page')],
        ['Home End', `${t('hotkeys.first')} / ${t('hotkeys.last')}`],
        ['← →', `${t('hotkeys.previous_series')} / ${t('hotkeys.next_series')}`],
        ['Space', t('hotkeys.cine')],
      ],
    ],
    [
      `${t('hotkeys.presets')} (CT)`,
      [
        ...CT_PRESETS.map((preset, index): Line => [
          String(index + 1),
          `${t(`viewer.preset.${preset.name}`)}  ${preset.width} / ${preset.center}`,
        ]),
        ['0', t('viewer.default_window')],
      ],
    ],
  ];
  return (
    <Modal
      open={open}
      onCancel={onClose}
      footer={null}
      width={760}
      title={t('hotkeys.title')}
      destroyOnHidden
    >
      <div className={styles['groups']}>
        {groups.map(([title, lines]) => (
          <section key={title}>
            <h3 className={styles['heading']}>{title}</h3>
            <dl className={styles['lines']}>
              {lines.map(([keys, meaning]) => (
                <div key={keys}>
                  <dt>
                    {keys.split(' ').map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{meaning}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p className={styles['mouse']}>
        {[
          t('hotkeys.mouse_left'),
          t('hotkeys.mouse_wheel'),
          t('hotkeys.mouse_middle'),
          t('hotkeys.mouse_right'),
        ].join('　·　')}
      </p>
    </Modal>
  );
}
