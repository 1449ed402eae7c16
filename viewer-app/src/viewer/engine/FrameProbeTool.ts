import { ProbeTool } from '@cornerstonejs/tools';
import type { ProbeStats } from './probeLines';
import { probeLines } from './probeLines';

interface TargetImage {
  readonly voxelManager?: { getAtIJKPoint(point: readonly number[]): number | readonly number[] };
}

/**
 * Probe that reads the value on every slice. The stock tool of 5.14.0 looks the voxel up at
 * the slice's number in the stack, but each image of a stack is one slice deep, so it finds
 * nothing except on the first.
 */
export class FrameProbeTool extends ProbeTool {
  static override toolName = 'FrameProbe';

  constructor(toolProps = {}, defaultToolProps?: unknown) {
    super(toolProps, {
      configuration: {
        getTextLines: (data: { cachedStats: Record<string, ProbeStats> }, targetId: string) =>
          probeLines(data.cachedStats[targetId]),
      },
      ...(defaultToolProps as object | undefined),
    });
  }

  override _calculateCachedStats(
    annotation: { data: { cachedStats: Record<string, ProbeStats> } },
    ...rest: [never, never, never?]
  ): unknown {
    const stats = super._calculateCachedStats(annotation, ...rest) as Record<string, ProbeStats>;
    for (const [targetId, entry] of Object.entries(stats)) {
      const [x, y] = entry.index ?? [];
      if (!targetId.startsWith('imageId:') || x === undefined || y === undefined) continue;
      const image = this.getTargetImageData(targetId) as unknown as TargetImage | undefined;
      const value = image?.voxelManager?.getAtIJKPoint([x, y, 0]);
      if (value !== undefined) entry.value = value;
    }
    return stats;
  }
}
