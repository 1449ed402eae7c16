import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { Worklist } from '@/features/worklist';
import { warmUpViewer } from '@/viewer';
import { useSession } from './session';

/** The list of examinations; fetches the study page's code while the reader looks around. */
export function WorklistPage() {
  const navigate = useNavigate();
  const { user } = useSession();
  useEffect(() => {
    const fetchAhead = () => {
      void import('./study/StudyPage');
      // Only a head start: the study page itself says so if the engine does not run.
      warmUpViewer().catch(() => undefined);
    };
    // Safari has no idle callback; a pause after the first paint does as well.
    if (!('requestIdleCallback' in window)) {
      const timer = setTimeout(fetchAhead, 1500);
      return () => clearTimeout(timer);
    }
    const handle = window.requestIdleCallback(fetchAhead, { timeout: 4000 });
    return () => window.cancelIdleCallback(handle);
  }, []);
  return (
    <Worklist
      owner={user}
      hrefOf={(studyUid) => `/studies/${studyUid}`}
      onOpen={(studyUid) =>
        void navigate({ to: '/studies/$studyUid', params: { studyUid }, search: {} })
      }
    />
  );
}
