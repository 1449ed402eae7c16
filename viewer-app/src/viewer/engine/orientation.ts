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

/** The labels of the edges, whichever way the picture is turned. */
export function edgeLabels(viewport: Types.IStackViewport): EdgeLabels | null {
  const origin = viewport.canvasToWorld([0, 0]) as Types.Point3 | undefined;
  if (!origin) return null;
  const [ox, oy, oz] = origin;
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
