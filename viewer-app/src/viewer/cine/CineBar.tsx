import {
  CaretRightOutlined,
  PauseOutlined,
  StepBackwardOutlined,
  StepForwardOutlined,
} from '@ant-design/icons';
import { useTranslation } from 'react-i18next';
import { IconButton } from '@/ui';
import type { StackView, ViewState } from '../engine';
import styles from './CineBar.module.css';

interface Props {
  readonly view: StackView;
  readonly state: ViewState;
}

/** Plays a stack as a film; quiet until the pointer comes near or the film runs. */
export function CineBar({ view, state }: Props) {
  const { t } = useTranslation();
  return (
    <div className={styles['bar']} data-playing={state.playing} data-cine={state.isCine} role="group">
      <IconButton
        placement="top"
        label={t('viewer.previous')}
        icon={<StepBackwardOutlined />}
        onClick={() => view.scroll(-1)}
      />
      <IconButton
        placement="top"
        label={t(state.playing ? 'viewer.pause' : 'viewer.play')}
        hotkey="Space"
        icon={state.playing ? <PauseOutlined /> : <CaretRightOutlined />}
        onClick={() => (state.playing ? view.stop() : view.play())}
      />
      <IconButton
        placement="top"
        label={t('viewer.next')}
        icon={<StepForwardOutlined />}
        onClick={() => view.scroll(1)}
      />
      <label className={styles['speed']}>
        <input
          type="range"
          min={1}
          max={60}
          value={state.framesPerSecond}
          onChange={(event) => view.setSpeed(Number(event.target.value))}
        />
        <span className="num">
          {state.framesPerSecond} {t('viewer.speed')}
        </span>
      </label>
    </div>
  );
}
