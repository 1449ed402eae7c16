import { create } from 'zustand';
import type { StackView, ToolName } from './engine';

/** A series as the viewer needs it. */
export interface ViewerSeries {
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly modality: string;
  readonly number: number | null;
  readonly description: string;
  readonly representativeSopUid?: string;
  /** Grows while the study is arriving; more of it means the frames must be listed again. */
  readonly instanceCount: number;
}

/** How many panes stand side by side. */
export type Layout = 1 | 2 | 4;

interface ViewerState {
  readonly layout: Layout;
  readonly active: number;
  readonly panes: readonly (ViewerSeries | null)[];
  readonly tool: ToolName;
  readonly overlay: boolean;
  /** The engine's side of each pane; null until it has started. */
  readonly views: readonly (StackView | null)[];
  open(): void;
  setLayout(layout: Layout): void;
  activate(pane: number): void;
  assign(pane: number, series: ViewerSeries): void;
  refresh(series: readonly ViewerSeries[]): void;
  setTool(tool: ToolName): void;
  toggleOverlay(): void;
  attach(pane: number, view: StackView | null): void;
}

const EMPTY = [null, null, null, null] as const;

/** What the viewer shows; pixels and measurements stay in the engine. */
export const useViewerStore = create<ViewerState>()((set) => ({
  layout: 1,
  active: 0,
  panes: EMPTY,
  tool: 'window',
  overlay: true,
  views: EMPTY,
  open: () => set({ active: 0, layout: 1, panes: EMPTY }),
  setLayout: (layout) => set(({ active }) => ({ layout, active: active < layout ? active : 0 })),
  activate: (active) => set({ active }),
  assign: (pane, series) =>
    set(({ panes }) => ({ active: pane, panes: panes.with(pane, series) })),
  refresh: (series) =>
    set((state) => {
      const panes = state.panes.map((pane) => {
        const now = series.find((item) => item.seriesUid === pane?.seriesUid);
        return now && now.instanceCount !== pane?.instanceCount ? now : pane;
      });
      return panes.some((pane, index) => pane !== state.panes[index]) ? { panes } : state;
    }),
  setTool: (tool) => set({ tool }),
  toggleOverlay: () => set(({ overlay }) => ({ overlay: !overlay })),
  attach: (pane, view) => set(({ views }) => ({ views: views.with(pane, view) })),
}));

/** The view that toolbar and keys act upon. */
export function activeView(): StackView | null {
  const { views, active } = useViewerStore.getState();
  return views[active] ?? null;
}

/** Series on screen now, by identifier. */
export function useDisplayedSeries(): readonly string[] {
  const panes = useViewerStore((state) => state.panes);
  const layout = useViewerStore((state) => state.layout);
  return panes.slice(0, layout).flatMap((pane) => (pane ? [pane.seriesUid] : []));
}
