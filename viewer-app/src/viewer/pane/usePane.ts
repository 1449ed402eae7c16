import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { readSeriesMetadata } from '@/api';
import { buildStack, StackView } from '../engine';
import type { ViewerSeries } from '../viewerStore';
import { useViewerStore } from '../viewerStore';

/** Binds one pane to the engine and keeps the wanted series in it. */
export function usePane(pane: number, series: ViewerSeries | null, engineReady: boolean) {
  const element = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<StackView | null>(null);
  const attach = useViewerStore((state) => state.attach);

  useEffect(() => {
    if (!engineReady || !element.current) return;
    const created = new StackView(element.current);
    setView(created);
    attach(pane, created);
    return () => {
      attach(pane, null);
      setView(null);
      created.destroy();
    };
  }, [engineReady, pane, attach]);

  const metadata = useQuery({
    queryKey: ['series-metadata', series?.studyUid, series?.seriesUid, series?.instanceCount],
    queryFn: ({ signal }) =>
      readSeriesMetadata(series?.studyUid ?? '', series?.seriesUid ?? '', signal),
    enabled: series !== null,
    // While more of the same series is listed, what is on screen stays.
    placeholderData: (before, query) =>
      query?.queryKey[2] === series?.seriesUid ? before : undefined,
    staleTime: 60_000,
    // Attributes of a long series are large; let them go soon after the pane changes.
    gcTime: 120_000,
  });

  const { data } = metadata;
  const [attempt, setAttempt] = useState(0);
  // Not before the engine runs: starting it empties the store that a stack registers with.
  const stack = useMemo(
    () =>
      engineReady && series && data
        ? buildStack(series.studyUid, series.seriesUid, data, series.representativeSopUid)
        : null,
    [engineReady, series, data],
  );
  const empty = stack?.imageIds.length === 0;
  useEffect(() => {
    if (view && stack?.imageIds.length) void view.show(stack);
  }, [view, stack, attempt]);

  const retry = () => {
    if (metadata.isError) void metadata.refetch();
    else setAttempt((before) => before + 1);
  };
  return { element, view, metadata, empty, retry };
}
