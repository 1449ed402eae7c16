/**
 * The shapes the portal API speaks (JSON, snake_case), written by hand from its contract.
 * A client generated from schemas/openapi can take this module's place: nothing outside
 * src/api depends on more than these names.
 */

/** What an account may be; decides the menu, never the data (the server does that). */
export type Role = 'clinician' | 'system_admin' | 'security_admin' | 'audit_admin' | 'system';

/** The signed-in person and the token that state-changing calls must carry. */
export interface Session {
  readonly user: string;
  readonly display_name: string;
  readonly roles: readonly Role[];
  readonly csrf: string;
  readonly expires_at: string;
}

/** How far a study has come: still arriving, all there, or registered for everybody. */
export type StudyStatus = 'receiving' | 'complete' | 'published';

/** One line of the examination list. */
export interface StudyRow {
  readonly study_uid: string;
  readonly patient_key: string;
  readonly patient_name: string;
  readonly patient_name_ideographic?: string | null;
  readonly patient_id: string;
  readonly patient_sex: string;
  readonly patient_birth_date: string | null;
  readonly patient_age?: string | null;
  readonly accession_number: string;
  readonly study_datetime: string | null;
  readonly study_description: string;
  readonly modalities: readonly string[];
  readonly body_parts: readonly string[];
  readonly status: StudyStatus;
  readonly series_count: number;
  readonly instance_count: number;
  readonly received_at: string;
}

/** Date ranges the server computes at midnight of the hospital's own clock. */
export type DatePreset = 'today' | 'yesterday' | '3d' | '7d';

/** Columns the server can order by. */
export type SortField = 'study_datetime' | 'patient_name' | 'received_at' | 'modality';

/** A search; travels in the request body so that no personal datum stands in a URL. */
export interface StudySearch {
  readonly name?: string;
  readonly patient_id?: string;
  readonly accession_number?: string;
  readonly modalities?: readonly string[];
  readonly date_from?: string;
  readonly date_to?: string;
  readonly preset?: DatePreset;
  readonly sort?: SortField;
  readonly descending?: boolean;
  readonly offset: number;
  readonly limit: number;
}

/** One page of search results. */
export interface StudyPage {
  readonly total: number;
  readonly items: readonly StudyRow[];
}

/** One series, with what can be shown of it. */
export interface SeriesRow {
  readonly series_uid: string;
  readonly modality: string;
  readonly series_number: number | null;
  readonly description: string;
  readonly body_part: string;
  readonly instance_count: number;
  readonly sop_classes: readonly string[];
  readonly viewable: 'image' | 'document' | 'none';
  readonly representative: { readonly sop_uid: string; readonly frames: number } | null;
}

/** A study with its series. */
export interface StudyDetail {
  readonly study: StudyRow;
  readonly series: readonly SeriesRow[];
}

/** One registered document of a patient. */
export interface DocumentRow {
  readonly entry_uuid: string;
  readonly title: string;
  readonly type_display: string;
  readonly class_display: string;
  readonly mime_type: string;
  readonly creation_time: string | null;
  readonly size_bytes: number | null;
  readonly author?: string | null;
  readonly format_code: string;
  readonly availability: 'approved' | 'deprecated';
}

/** Everything known of one patient, across time and departments. */
export interface Timeline {
  readonly studies: readonly StudyRow[];
  readonly documents: readonly DocumentRow[];
}

/** A whole file as it came from the server. */
export interface Content {
  readonly mimeType: string;
  readonly bytes: ArrayBuffer;
}
