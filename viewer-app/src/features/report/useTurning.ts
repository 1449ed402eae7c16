import { useState } from 'react';

const STEPS = [0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4];

/** Size and rotation of a page; size 1 fits the width. */
export function useTurning() {
  const [scale, setScale] = useState(1);
  const [rotation, setRotation] = useState(0);
  return {
    scale,
    rotation,
    zoomIn: () => setScale((now) => STEPS.find((step) => step > now + 0.001) ?? now),
    zoomOut: () => setScale((now) => STEPS.findLast((step) => step < now - 0.001) ?? now),
    fit: () => setScale(1),
    rotate: () => setRotation((now) => (now + 90) % 360),
  };
}

/** What useTurning gives. */
export type Turning = ReturnType<typeof useTurning>;
