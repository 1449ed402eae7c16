import { wadors } from '@cornerstonejs/dicom-image-loader';
import type { DicomJson } from '@/api';
import { framePath } from '@/api';
import { frameCount, isOriented, number, sortInstances, text } from './order';
import { withPalette } from './palette';

/** A series made ready for display: its frames in reading order. */
export interface ImageStack {
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly imageIds: readonly string[];
  readonly modality: string;
  readonly frameTimeMs: number | null;
  /** Whether the frames are a film (one multi-frame instance) rather than slices. */
  readonly isCine: boolean;
  /** Where the server's own preview stands, so that the picture does not jump. */
  readonly initialIndex: number;
  /** Whether the file says how the picture lies in the body. */
  readonly oriented: boolean;
}

/** Registers a series with the loader and returns its frames in reading order. */
export function buildStack(
  studyUid: string,
  seriesUid: string,
  metadata: readonly DicomJson[],
  representativeSopUid?: string,
): ImageStack {
  const imageIds: string[] = [];
  let initialIndex = 0;
  const images = metadata.filter((item) => number(item, '00280010') > 0).map(withPalette);
  const instances = sortInstances(images);
  for (const instance of instances) {
    const sopUid = text(instance, '00080018');
    if (sopUid === representativeSopUid) initialIndex = imageIds.length;
    for (let frame = 1; frame <= frameCount(instance); frame += 1) {
      const imageId = `wadors:${framePath(studyUid, seriesUid, sopUid, frame)}`;
      wadors.metaDataManager.add(imageId, instance as never);
      imageIds.push(imageId);
    }
  }
  const first = instances[0];
  const frameTimeMs = first ? number(first, '00181063') : 0;
  const rate = first ? number(first, '00082144') || number(first, '00180040') : 0;
  return {
    studyUid,
    seriesUid,
    imageIds,
    modality: first ? text(first, '00080060') : '',
    frameTimeMs: frameTimeMs || (rate ? 1000 / rate : null),
    isCine: instances.length > 0 && instances.every((item) => frameCount(item) > 1) &&
      !['MR', 'CT', 'PT', 'NM', 'SEG'].includes(first ? text(first, '00080060') : ''),
    initialIndex,
    oriented: first !== undefined && isOriented(first),
  };
}
