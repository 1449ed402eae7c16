import type { StudyDetail, StudyPage, StudySearch, Timeline } from './contract';
import { call } from './portal';

/** Searches examinations. */
export function searchStudies(search: StudySearch, signal?: AbortSignal): Promise<StudyPage> {
  return call('post', '/api/v1/studies/search', { body: search, signal });
}

/** One study with its series. */
export function readStudy(studyUid: string, signal?: AbortSignal): Promise<StudyDetail> {
  return call('get', '/api/v1/studies/{study_uid}', { params: { study_uid: studyUid }, signal });
}

/** All studies and documents of one patient. */
export function readTimeline(patientKey: string, signal?: AbortSignal): Promise<Timeline> {
  const params = { patient_key: patientKey };
  return call('get', '/api/v1/patients/{patient_key}/timeline', { params, signal });
}
