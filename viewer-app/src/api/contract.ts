import type { components } from './schema';

/** The names under which the rest of the application knows what the server describes. */
type Schemas = components['schemas'];

/** The signed-in person and the token that state-changing calls must carry. */
export type Session = Schemas['Session'];

/** One line of the examination list. */
export type StudyRow = Schemas['StudyRow'];

/** How far a study has come: still arriving, all there, or registered for everybody. */
export type StudyStatus = StudyRow['status'];

/** A search; travels in the request body so that no personal datum stands in a URL. */
export type StudySearch = Schemas['StudySearch'];

/** Date ranges the server computes at midnight of the hospital's own clock. */
export type DatePreset = NonNullable<StudySearch['preset']>;

/** Columns the server can order by. */
export type SortField = NonNullable<StudySearch['sort']>;

/** One page of search results. */
export type StudyPage = Schemas['StudyPage'];

/** One series, with what can be shown of it. */
export type SeriesRow = Schemas['SeriesRow'];

/** A study with its series. */
export type StudyDetail = Schemas['StudyDetail'];

/** One registered document of a patient. */
export type DocumentRow = Schemas['DocumentRow'];

/** Everything known of one patient, across time and departments. */
export type Timeline = Schemas['Timeline'];

/** Why the server refused. */
export type Problem = Schemas['Problem'];
