import { useTranslation } from 'react-i18next';
import type { ViewState } from '../engine';
import type { ViewerSeries } from '../viewerStore';
import styles from './Pane.module.css';

/** Whose picture it is, as written in the corners. */
export interface PatientLabels {
  readonly name: string;
  readonly id: string;
  readonly detail: string;
  readonly date: string;
}

interface Props {
  readonly patient: PatientLabels;
  readonly series: ViewerSeries;
  readonly state: ViewState;
}

/** The text in the corners and at the edges of a picture. */
export function Overlay({ patient, series, state }: Props) {
  const { t } = useTranslation();
  const { edges, prefetch } = state;
  const loading = prefetch && prefetch.loaded + prefetch.failed < prefetch.total;
  return (
    <div className={`${styles['overlay']} num`} aria-hidden>
      <div className={styles['topLeft']}>
        <b>{patient.name}</b>
        <span>{patient.id}</span>
        <span>{patient.detail}</span>
      </div>
      <div className={styles['topRight']}>
        <b>{series.description || t('navigator.unnamed')}</b>
        <span>
          {series.modality}
          {series.number === null ? '' : ` · ${t('viewer.series', { number: series.number })}`}
        </span>
        <span>{patient.date}</span>
      </div>
      <div className={styles['bottomLeft']}>
        {prefetch?.failed ? (
          <span className={styles['warn']}>
            {t('viewer.prefetch_failed', { count: prefetch.failed })}
          </span>
        ) : null}
        {loading ? (
          <span>
            {t('viewer.prefetch', { loaded: prefetch.loaded, total: prefetch.total })}
          </span>
        ) : null}
        <b>{t('viewer.slice', { index: state.index + 1, count: state.count })}</b>
      </div>
      <div className={styles['bottomRight']}>
        {state.zoom ? (
          <span>{t('viewer.zoom', { percent: Math.round(state.zoom * 100) })}</span>
        ) : null}
        {state.windowWidth === null ? null : (
          <b>{t('viewer.wwwl', { ww: state.windowWidth, wl: state.windowCenter })}</b>
        )}
      </div>
      {edges ? (
        <>
          <i className={styles['edgeTop']}>{edges.top}</i>
          <i className={styles['edgeRight']}>{edges.right}</i>
          <i className={styles['edgeBottom']}>{edges.bottom}</i>
          <i className={styles['edgeLeft']}>{edges.left}</i>
        </>
      ) : null}
    </div>
  );
}
