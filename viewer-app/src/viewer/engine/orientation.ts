import { metaData } from '@cornerstonejs/core';
import type { Types } from '@cornerstonejs/core';
import { utilities } from '@cornerstonejs/tools';

/** Which side of the body lies at each edge (R, L, A, P, H, F). */
export interface EdgeLabels {
  readonly top: string;
  readonly right: string;
  readonly bottom: string;
  readonly left: string;
}

type Vector = readonly [number, number, number];

/** The labels of the edges, or null for pictures without a place in the body. */
export function edgeLabels(viewport: Types.IStackViewport, imageId: string): EdgeLabels | null {
  const plane = metaData.get('imagePlaneModule', imageId) as
    | { imageOrientationPatient?: unknown }
    | undefined;
  // The engine invents an orientation for pictures without one; the file must have said it.
  const instance = metaData.get('instance', imageId) as
    | { ImageOrientationPatient?: unknown; SharedFunctionalGroupsSequence?: unknown }
    | undefined;
  if (!plane?.imageOrientationPatient) return null;
  if (instance && !instance.ImageOrientationPatient && !instance.SharedFunctionalGroupsSequence) {
    return null;
  }
  const [ox, oy, oz] = viewport.canvasToWorld([0, 0]);
  const direction = (x: number, y: number): Vector => {
    const [px, py, pz] = viewport.canvasToWorld([x, y]);
    const length = Math.hypot(px - ox, py - oy, pz - oz) || 1;
    return [(px - ox) / length, (py - oy) / length, (pz - oz) / length];
  };
  const { getOrientationStringLPS, invertOrientationStringLPS } = utilities.orientation;
  const right = getOrientationStringLPS(direction(100, 0) as Types.Point3).slice(0, 2);
  const bottom = getOrientationStringLPS(direction(0, 100) as Types.Point3).slice(0, 2);
  return {
    right,
    bottom,
    left: invertOrientationStringLPS(right),
    top: invertOrientationStringLPS(bottom),
  };
}
