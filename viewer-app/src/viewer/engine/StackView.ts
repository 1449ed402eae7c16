import { Enums, eventTarget, metaData, RenderingEngine, utilities } from '@cornerstonejs/core';
import type { Types } from '@cornerstonejs/core';
import type { EdgeLabels } from './orientation';
import { edgeLabels } from './orientation';
import type { PrefetchProgress } from './prefetch';
import { prefetch } from './prefetch';
import type { ImageStack } from './stack';
import { attachTools, detachTools } from './tools';

/** What a pane shows of its picture; a new object at each change. */
export interface ViewState {
  readonly phase: 'empty' | 'loading' | 'shown' | 'failed';
  readonly index: number;
  readonly count: number;
  readonly windowWidth: number | null;
  readonly windowCenter: number | null;
  /** Screen pixels for one image pixel. */
  readonly zoom: number | null;
  readonly inverted: boolean;
  readonly edges: EdgeLabels | null;
  readonly prefetch: PrefetchProgress | null;
  /** Whether the frames are a film rather than slices of a body. */
  readonly isCine: boolean;
  readonly playing: boolean;
  readonly framesPerSecond: number;
}

const START: ViewState = {
  phase: 'empty',
  index: 0,
  count: 0,
  windowWidth: null,
  windowCenter: null,
  zoom: null,
  inverted: false,
  edges: null,
  prefetch: null,
  isCine: false,
  playing: false,
  framesPerSecond: 15,
};

const ENGINE = 'pianku';
const PATIENCE_MS = 20_000;
let engine: RenderingEngine | null = null;
let counter = 0;

function sharedEngine(): RenderingEngine {
  engine ??= new RenderingEngine(ENGINE);
  return engine;
}

/** One pane with a stack of images in it. */
export class StackView {
  private readonly id: string;
  private readonly listeners = new Set<() => void>();
  private readonly resizer: ResizeObserver;
  private state: ViewState = START;
  private stack: ImageStack | null = null;
  private stopPrefetch: () => void = () => undefined;
  private timer = 0;
  private destroyed = false;

  constructor(private readonly element: HTMLDivElement) {
    counter += 1;
    this.id = `pane-${counter}`;
    sharedEngine().enableElement({
      viewportId: this.id,
      element,
      type: Enums.ViewportType.STACK,
      defaultOptions: { background: [0, 0, 0] },
    });
    attachTools(this.id, ENGINE);
    element.addEventListener(Enums.Events.IMAGE_RENDERED, this.onRendered);
    element.addEventListener(Enums.Events.STACK_NEW_IMAGE, this.onRendered);
    element.addEventListener(Enums.Events.VOI_MODIFIED, this.onRendered);
    element.addEventListener(Enums.Events.CAMERA_MODIFIED, this.onRendered);
    eventTarget.addEventListener(Enums.Events.IMAGE_LOAD_ERROR, this.onError);
    this.resizer = new ResizeObserver(this.onResize);
    this.resizer.observe(element);
  }

  /** For useSyncExternalStore. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The present state; the same object until something changes. */
  readonly getState = (): ViewState => this.state;

  /** Shows a stack, or more of the stack that is already shown. */
  show(stack: ImageStack): Promise<void> {
    const same = this.stack?.seriesUid === stack.seriesUid && this.state.phase === 'shown';
    return same ? this.extend(stack) : this.open(stack);
  }

  private async open(stack: ImageStack, index = stack.initialIndex): Promise<void> {
    this.stop();
    this.stopPrefetch();
    this.stack = stack;
    const framesPerSecond = stack.frameTimeMs ? Math.round(1000 / stack.frameTimeMs) : 15;
    this.update({
      ...START,
      phase: 'loading',
      index,
      count: stack.imageIds.length,
      isCine: stack.isCine,
      framesPerSecond: Math.min(60, Math.max(1, framesPerSecond)),
    });
    // Some decoding errors never come back from the loader. After a while the pane says so;
    // should the picture arrive yet, drawing it takes the word back.
    const patience = setTimeout(() => {
      if (this.stack === stack && this.state.phase === 'loading') this.update({ phase: 'failed' });
    }, PATIENCE_MS);
    try {
      await this.viewport().setStack([...stack.imageIds], index);
      clearTimeout(patience);
      if (this.destroyed || this.stack !== stack) return;
      this.viewport().render();
    } catch {
      if (!this.destroyed && this.stack === stack) this.update({ phase: 'failed' });
      return;
    }
    this.fetchRest(stack);
  }

  private fetchRest(stack: ImageStack): void {
    this.stopPrefetch = prefetch(
      stack,
      () => this.state.index,
      (progress) => this.update({ prefetch: progress }),
    );
  }

  /** More slices have arrived: the reader keeps slice, window and view. */
  private async extend(stack: ImageStack): Promise<void> {
    const before = this.stack?.imageIds ?? [];
    const known = before.length === stack.imageIds.length;
    if (known && before.every((imageId, index) => imageId === stack.imageIds[index])) return;
    this.stop();
    this.stopPrefetch();
    const viewport = this.viewport();
    const { voiRange, invert } = viewport.getProperties();
    const { rotation, flipHorizontal, flipVertical } = viewport.getViewPresentation();
    const { zoom, pan } = { zoom: viewport.getZoom(), pan: viewport.getPan() };
    const index = Math.max(0, stack.imageIds.indexOf(viewport.getCurrentImageId()));
    this.stack = stack;
    this.update({ index, count: stack.imageIds.length });
    await viewport.setStack([...stack.imageIds], index).catch(() => undefined);
    if (this.destroyed || this.stack !== stack) return;
    viewport.setViewPresentation({ rotation, flipHorizontal, flipVertical } as Types.ViewPresentation);
    viewport.setZoom(zoom);
    viewport.setPan(pan);
    viewport.setProperties({ voiRange, invert });
    viewport.render();
    this.fetchRest(stack);
  }

  /** Goes to a slice. */
  goTo(index: number): void {
    const last = this.state.count - 1;
    if (last < 0) return;
    // A slice that does not load is reported by onError; the promise itself tells no more.
    this.viewport()
      .setImageIdIndex(Math.min(last, Math.max(0, index)))
      .catch(() => undefined);
  }

  /** Goes forward or back by some slices. */
  scroll(delta: number): void {
    this.goTo(this.state.index + delta);
  }

  /** Sets window width and centre. */
  setWindow(width: number, center: number): void {
    const voiRange = utilities.windowLevel.toLowHighRange(width, center);
    this.viewport().setProperties({ voiRange });
    this.viewport().render();
  }

  /** Back to the window the file asks for. */
  resetWindow(): void {
    this.viewport().resetProperties();
    this.viewport().render();
  }

  /** Draws again, measurements included. */
  redraw(): void {
    this.viewport().render();
  }

  /** Swaps black and white. */
  invert(): void {
    const viewport = this.viewport();
    viewport.setProperties({ invert: !viewport.getProperties().invert });
    viewport.render();
  }

  /** Turns the picture by a quarter, clockwise. */
  rotate(): void {
    const viewport = this.viewport();
    const { rotation = 0 } = viewport.getViewPresentation();
    viewport.setViewPresentation({ rotation: (rotation + 90) % 360 } as Types.ViewPresentation);
    viewport.render();
  }

  /** Mirrors the picture left to right. */
  flip(): void {
    const viewport = this.viewport();
    viewport.setCamera({ flipHorizontal: !viewport.getCamera().flipHorizontal });
    viewport.render();
  }

  /** Back to the whole picture in its own window. */
  reset(): void {
    const viewport = this.viewport();
    viewport.setCamera({ flipHorizontal: false, flipVertical: false });
    viewport.setViewPresentation({ rotation: 0 } as Types.ViewPresentation);
    viewport.resetCamera();
    viewport.resetProperties();
    viewport.render();
  }

  /** Plays the stack as a film. */
  play(framesPerSecond = this.state.framesPerSecond): void {
    this.stop();
    if (this.state.count < 2) return;
    this.update({ playing: true, framesPerSecond });
    const started = performance.now();
    const from = this.state.index;
    let busy = false;
    const step = (now: number) => {
      if (!this.state.playing || this.destroyed) return;
      this.timer = requestAnimationFrame(step);
      const due = (from + Math.floor(((now - started) / 1000) * framesPerSecond)) % this.state.count;
      if (busy || due === this.viewport().getCurrentImageIdIndex()) return;
      // Frames that cannot be drawn in time are left out, so that the speed stays true.
      busy = true;
      void this.viewport()
        .setImageIdIndex(due)
        .catch(() => undefined)
        .finally(() => {
          busy = false;
        });
    };
    this.timer = requestAnimationFrame(step);
  }

  /** Stops the film. */
  stop(): void {
    cancelAnimationFrame(this.timer);
    if (this.state.playing) this.update({ playing: false });
  }

  /** Sets the film's speed, playing or not. */
  setSpeed(framesPerSecond: number): void {
    if (this.state.playing) this.play(framesPerSecond);
    else this.update({ framesPerSecond });
  }

  /** Gives all resources back. */
  destroy(): void {
    this.stop();
    this.stopPrefetch();
    this.destroyed = true;
    this.resizer.disconnect();
    this.element.removeEventListener(Enums.Events.IMAGE_RENDERED, this.onRendered);
    this.element.removeEventListener(Enums.Events.STACK_NEW_IMAGE, this.onRendered);
    this.element.removeEventListener(Enums.Events.VOI_MODIFIED, this.onRendered);
    this.element.removeEventListener(Enums.Events.CAMERA_MODIFIED, this.onRendered);
    eventTarget.removeEventListener(Enums.Events.IMAGE_LOAD_ERROR, this.onError);
    detachTools(this.id, ENGINE);
    sharedEngine().disableElement(this.id);
    this.listeners.clear();
  }

  private fit(): void {
    const viewport = this.viewport();
    const { rotation, flipHorizontal, flipVertical } = viewport.getViewPresentation();
    viewport.resetCamera();
    viewport.setViewPresentation({ rotation, flipHorizontal, flipVertical } as Types.ViewPresentation);
    viewport.render();
  }

  private viewport(): Types.IStackViewport {
    return sharedEngine().getViewport(this.id) as Types.IStackViewport;
  }

  private update(change: Partial<ViewState>): void {
    this.state = { ...this.state, ...change };
    this.listeners.forEach((listener) => listener());
  }

  private readonly onRendered = (): void => {
    if (this.destroyed || !this.stack) return;
    const viewport = this.viewport();
    const imageId = viewport.getCurrentImageId();
    // A rendering that was under way when the stack changed says nothing of the new one.
    if (!imageId || !viewport.getCornerstoneImage()) return;
    if (!this.stack.imageIds.includes(imageId)) return;
    const { voiRange, invert = false } = viewport.getProperties();
    const level = voiRange && utilities.windowLevel.toWindowLevel(voiRange.lower, voiRange.upper);
    this.update({
      phase: 'shown',
      index: viewport.getCurrentImageIdIndex(),
      windowWidth: level ? Math.round(level.windowWidth) : null,
      windowCenter: level ? Math.round(level.windowCenter) : null,
      zoom: this.zoom(imageId),
      inverted: invert,
      edges: this.stack.oriented ? edgeLabels(viewport) : null,
    });
  };

  private zoom(imageId: string): number | null {
    const plane = metaData.get('imagePlaneModule', imageId) as
      | { columnPixelSpacing?: number }
      | undefined;
    const viewport = this.viewport();
    const from = viewport.canvasToWorld([0, 0]) as Types.Point3 | undefined;
    const to = viewport.canvasToWorld([100, 0]) as Types.Point3 | undefined;
    // Without WebGL the first events come before the picture has a place.
    if (!from || !to) return null;
    const [ax, ay, az] = from;
    const [bx, by, bz] = to;
    const perPixel = Math.hypot(bx - ax, by - ay, bz - az) / 100;
    return perPixel > 0 ? (plane?.columnPixelSpacing || 1) / perPixel : null;
  }

  private readonly onError = (event: Event): void => {
    const { imageId } = ((event as CustomEvent).detail ?? {}) as { imageId?: string };
    const current = this.stack?.imageIds[this.state.index];
    if (imageId && imageId === current && this.state.phase === 'loading') {
      this.update({ phase: 'failed' });
    }
  };

  private readonly onResize = (): void => {
    const { clientWidth, clientHeight } = this.element;
    if (this.destroyed || clientWidth === 0 || clientHeight === 0) return;
    const viewport = this.viewport();
    // A picture that filled its pane fills it again; one the reader has moved stays put.
    const untouched =
      this.state.phase === 'shown' &&
      Math.abs(viewport.getZoom() - 1) < 0.01 &&
      Math.hypot(...viewport.getPan()) < 1;
    sharedEngine().resize(true, true);
    if (untouched) this.fit();
  };
}
