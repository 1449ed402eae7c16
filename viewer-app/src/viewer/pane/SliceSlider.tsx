import { useTranslation } from 'react-i18next';
import type { StackView, ViewState } from '../engine';
import styles from './Pane.module.css';

interface Props {
  readonly view: StackView;
  readonly state: ViewState;
}

/** The bar at the right edge: where we are, and how much has arrived. */
export function SliceSlider({ view, state }: Props) {
  const { t } = useTranslation();
  if (state.count < 2) return null;
  const loaded = state.prefetch ? (state.prefetch.loaded / state.prefetch.total) * 100 : 0;
  return (
    <div className={styles['slider']} style={{ '--loaded': `${loaded}%` } as React.CSSProperties}>
      <input
        type="range"
        min={1}
        max={state.count}
        value={state.index + 1}
        aria-label={t('viewer.slider')}
        aria-valuetext={t('viewer.announce', { index: state.index + 1, count: state.count })}
        onChange={(event) => view.goTo(Number(event.target.value) - 1)}
        onPointerUp={(event) => event.currentTarget.blur()}
      />
    </div>
  );
}
