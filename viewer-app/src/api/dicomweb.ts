import { request } from './http';

/** One attribute of the DICOM JSON model. */
export interface DicomElement {
  readonly vr: string;
  readonly Value?: readonly unknown[];
  readonly BulkDataURI?: string;
  readonly InlineBinary?: string;
}

/** One instance in the DICOM JSON model (PS3.18 annex F), keyed by eight-digit tag. */
export type DicomJson = Readonly<Record<string, DicomElement>>;

const ROOT = '/dicom-web';

/** Path of a study. */
export function studyPath(studyUid: string): string {
  return `${ROOT}/studies/${encodeURIComponent(studyUid)}`;
}

/** Path of a series. */
export function seriesPath(studyUid: string, seriesUid: string): string {
  return `${studyPath(studyUid)}/series/${encodeURIComponent(seriesUid)}`;
}

/** Path of an instance. */
export function instancePath(studyUid: string, seriesUid: string, sopUid: string): string {
  return `${seriesPath(studyUid, seriesUid)}/instances/${encodeURIComponent(sopUid)}`;
}

/** Path of one frame, counted from 1. */
export function framePath(
  studyUid: string,
  seriesUid: string,
  sopUid: string,
  frame: number,
): string {
  return `${instancePath(studyUid, seriesUid, sopUid)}/frames/${frame}`;
}

/** Path of the small preview of a series, or of one instance in it. */
export function thumbnailPath(studyUid: string, seriesUid: string, sopUid?: string): string {
  const base = sopUid
    ? instancePath(studyUid, seriesUid, sopUid)
    : seriesPath(studyUid, seriesUid);
  return `${base}/thumbnail`;
}

/** Path of the server-made picture of an instance, shown while pixels are on their way. */
export function renderedPath(studyUid: string, seriesUid: string, sopUid: string): string {
  return `${instancePath(studyUid, seriesUid, sopUid)}/rendered`;
}

/** All attributes but the bulk data of every instance in a series. */
export async function readSeriesMetadata(
  studyUid: string,
  seriesUid: string,
  signal?: AbortSignal,
): Promise<readonly DicomJson[]> {
  const response = await request(`${seriesPath(studyUid, seriesUid)}/metadata`, {
    headers: { Accept: 'application/dicom+json' },
    signal,
  });
  return (await response.json()) as readonly DicomJson[];
}
