import { cleanup } from '@testing-library/react';
import { afterEach, vi } from 'vitest';

// antd asks for these; jsdom has neither.
window.matchMedia = (query: string) =>
  ({
    matches: false,
    media: query,
    addListener: vi.fn(),
    removeListener: vi.fn(),
    addEventListener: vi.fn(),
    removeEventListener: vi.fn(),
    dispatchEvent: () => false,
    onchange: null,
  }) as unknown as MediaQueryList;
window.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};

afterEach(cleanup);
