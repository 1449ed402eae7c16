import { ArrowLeftOutlined, PictureOutlined } from '@ant-design/icons';
import { ConfigProvider, Segmented } from 'antd';
import { Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { StudyDetail } from '@/api';
import { Report } from '@/features/report';
import { StudyHeader } from '@/features/study-header';
import { ageOn, personName, sayAge, sayDateTime, saySex } from '@/i18n/words';
import { ErrorState, IconButton, Spinner, StateMessage } from '@/ui';
import { ImageViewer, viewerIcons } from '@/viewer';
import { reportUnauthorized } from '../queryClient';
import { UserMenu } from '../shell/UserMenu';
import { darkTheme } from '../theme';
import { Navigator } from './Navigator';
import { SplitHandle } from './SplitHandle';
import styles from './StudyPage.module.css';
import type { Mode } from './useStudyPage';
import { useStudyPage } from './useStudyPage';

/** Pop-ups hang on the body, so the whole document turns dark, not only this page. */
function useDarkDocument(): void {
  useEffect(() => {
    document.documentElement.dataset['theme'] = 'dark';
    return () => {
      delete document.documentElement.dataset['theme'];
    };
  }, []);
}

/** One examination: who, what there is, and the images and documents themselves. */
export function StudyPage() {
  const { t } = useTranslation();
  const page = useStudyPage();
  const { study, mode, report, narrow } = page;
  const [navigator, setNavigator] = useState(true);
  const [share, setShare] = useState(0.5);
  useDarkDocument();

  const modeSwitch = report && page.images.length > 0 && (
    <Segmented<Mode>
      aria-label={t('study.mode.label')}
      value={mode}
      onChange={page.setMode}
      options={(narrow ? (['image', 'document'] as const) : (['image', 'split', 'document'] as const)).map(
        (value) => ({ value, label: t(`study.mode.${value}`) }),
      )}
    />
  );
  const toggleNavigator = () => setNavigator((open) => !open);
  const navigatorButton = (
    <IconButton
      label={t(navigator ? 'study.hide_navigator' : 'study.show_navigator')}
      hotkey="N"
      icon={viewerIcons.navigator}
      pressed={navigator}
      onClick={toggleNavigator}
    />
  );

  function centre(detail: StudyDetail) {
    const { study: row } = detail;
    const age = ageOn(row.patient_age, row.patient_birth_date, row.study_datetime);
    const { previousReport, nextReport } = page;
    const document = report && mode !== 'image' && (
      <div className={styles['document']}>
        <Report
          item={report}
          onClose={page.images.length ? page.closeReport : undefined}
          onPrevious={previousReport && (() => page.openReport(previousReport.key))}
          onNext={nextReport && (() => page.openReport(nextReport.key))}
        />
      </div>
    );
    if (page.images.length === 0) {
      return (
        document || (
          <StateMessage icon={<PictureOutlined />} title={t('study.no_images_title')}>
            {t('study.no_images')}
          </StateMessage>
        )
      );
    }
    return (
      <Suspense fallback={<Spinner label={t('viewer.loading')} shown />}>
        <ImageViewer
          patient={{
            name: personName(row),
            id: row.patient_id,
            detail: `${saySex(t, row.patient_sex)} ${sayAge(t, age)}`,
            date: sayDateTime(row.study_datetime),
          }}
          series={page.images}
          wanted={page.wanted}
          onWant={page.wantSeries}
          onUnauthorized={reportUnauthorized}
          onToggleNavigator={toggleNavigator}
          toolbarStart={navigatorButton}
          beside={
            document ? (
              <>
                <SplitHandle share={share} onShare={setShare} />
                {document}
              </>
            ) : null
          }
          besideOnly={mode === 'document'}
        />
      </Suspense>
    );
  }

  return (
    <ConfigProvider theme={darkTheme}>
      <div className={styles['page']} data-theme="dark">
        <header className={styles['bar']}>
          <h1 className="visually-hidden">{t('study.header')}</h1>
          <IconButton label={t('study.back')} icon={<ArrowLeftOutlined />} onClick={page.home} />
          {study.data ? <StudyHeader study={study.data.study} /> : <span className={styles['fill']} />}
          {modeSwitch}
          <UserMenu compact />
        </header>
        {study.data ? (
          <main className={styles['body']} data-navigator={navigator}>
            {navigator ? (
              <Navigator
                study={study.data.study}
                series={study.data.series}
                document={mode === 'image' ? undefined : report?.key}
                onOpenSeries={page.openSeries}
                onOpenStudy={page.openStudy}
                onOpenDocument={page.openReport}
              />
            ) : null}
            <div className={styles['centre']} style={{ '--share': share } as React.CSSProperties}>
              {centre(study.data)}
            </div>
          </main>
        ) : (
          <main className={styles['empty']}>
            {study.error ? (
              <ErrorState
                error={study.error}
                onRetry={() => void study.refetch()}
                onHome={page.home}
              />
            ) : (
              <Spinner label={t('app.loading')} shown />
            )}
          </main>
        )}
      </div>
    </ConfigProvider>
  );
}
