/** A patient's examinations and documents along time. */
export { PatientTimeline } from './PatientTimeline';
export { useTimelineRequest } from './patient-timeline.api';
