import type { StudyDetail, StudyPage, StudySearch, Timeline } from './contract';
import { getJson, postJson } from './http';

const BASE = '/api/v1';

/** Searches examinations. */
export function searchStudies(search: StudySearch, signal?: AbortSignal): Promise<StudyPage> {
  return postJson<StudyPage>(`${BASE}/studies/search`, search, signal);
}

/** One study with its series. */
export function readStudy(studyUid: string, signal?: AbortSignal): Promise<StudyDetail> {
  return getJson<StudyDetail>(`${BASE}/studies/${encodeURIComponent(studyUid)}`, signal);
}

/** All studies and documents of one patient. */
export function readTimeline(patientKey: string, signal?: AbortSignal): Promise<Timeline> {
  return getJson<Timeline>(`${BASE}/patients/${encodeURIComponent(patientKey)}/timeline`, signal);
}
