import { render, waitFor } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';
import { Watermark } from './Watermark';

const mark = () => document.querySelector<HTMLElement>('[data-watermark]');

beforeEach(() => {
  vi.spyOn(HTMLCanvasElement.prototype, 'getContext').mockReturnValue(null);
});

it('comes back when the node is deleted or hidden, and goes with the page', async () => {
  const { unmount } = render(<Watermark text="doctor" />);
  const first = mark();
  expect(first).not.toBeNull();
  first?.remove();
  await waitFor(() => expect(mark()).not.toBeNull());
  mark()!.style.display = 'none';
  await waitFor(() => expect(mark()?.style.display).toBe('block'));
  unmount();
  expect(mark()).toBeNull();
});
