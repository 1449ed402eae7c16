import type { ReactNode } from 'react';

/** One line drawing in the weight of all the others. */
function Drawing({ children }: { children: ReactNode }) {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden
      focusable="false"
    >
      {children}
    </svg>
  );
}

/** Drawings of the viewer's tools and commands, by name. */
export const icons = {
  window: (
    <Drawing>
      <circle cx="10" cy="10" r="4" />
      <path d="M10 6a4 4 0 0 1 0 8z" fill="currentColor" />
      <path d="M10 1.8v1.6M10 16.600v1.600M1.8 10h1.600M16.6 10h1.600M4.2 4.200l1.1 1.100M14.7 14.700l1.1 1.100M4.2 15.800l1.1-1.100M14.7 5.300l1.1-1.1" />
    </Drawing>
  ),
  scroll: (
    <Drawing>
      <path d="M10 2.5 17 6l-7 3.500L3 6z" />
      <path d="m3 10 7 3.500L17 10M3 14l7 3.500L17 14" />
    </Drawing>
  ),
  pan: (
    <Drawing>
      <path d="M10 2v16M2 10h16M7.8 4.2 10 2l2.2 2.200M7.8 15.8 10 18l2.2-2.200M4.2 7.8 2 10l2.2 2.200M15.8 7.8 18 10l-2.2 2.2" />
    </Drawing>
  ),
  zoom: (
    <Drawing>
      <circle cx="8.5" cy="8.5" r="5.7" />
      <path d="m12.8 12.8 4.7 4.700M6.2 8.500h4.600M8.5 6.200v4.6" />
    </Drawing>
  ),
  length: (
    <Drawing>
      <path d="m2.6 13.3 10.7-10.7 4.1 4.100L6.7 17.400z" />
      <path d="m5.6 10.3 1.7 1.700M8 7.900l1.7 1.700M10.4 5.500l1.7 1.7" />
    </Drawing>
  ),
  angle: (
    <Drawing>
      <path d="M16.5 3.5 3 16.500h14.5" />
      <path d="M8.6 11.200a6.5 6.5 0 0 1 2.3 5.3" />
    </Drawing>
  ),
  rectangle: (
    <Drawing>
      <rect x="3.5" y="5" width="13" height="10" rx="0.5" strokeDasharray="2.5 2" />
      <path d="M3.5 5h.01M16.5 5h.01M3.5 15h.01M16.5 15h.01" strokeWidth="3" />
    </Drawing>
  ),
  probe: (
    <Drawing>
      <circle cx="10" cy="10" r="5.5" />
      <path d="M10 2v4M10 14v4M2 10h4M14 10h4M10 10h.01" />
    </Drawing>
  ),
  invert: (
    <Drawing>
      <rect x="3" y="3" width="14" height="14" rx="2.5" />
      <path d="M17 3 3 17h12a2 2 0 0 0 2-2z" fill="currentColor" stroke="none" />
    </Drawing>
  ),
  rotate: (
    <Drawing>
      <path d="M16.3 11.500A6.5 6.5 0 1 1 14.6 5.4" />
      <path d="M15.3 2.300v3.700h-3.7" />
    </Drawing>
  ),
  flip: (
    <Drawing>
      <path d="M10 2.500v15" strokeDasharray="2 2" />
      <path d="M7.5 5 2.5 15h5zM12.5 5l5 10h-5z" />
    </Drawing>
  ),
  reset: (
    <Drawing>
      <path d="M3.5 9.500a6.6 6.6 0 1 1 1.7 5" />
      <path d="M3 4.800v4.700h4.7" />
    </Drawing>
  ),
  layout1: (
    <Drawing>
      <rect x="3" y="3.5" width="14" height="13" rx="1.5" />
    </Drawing>
  ),
  layout2: (
    <Drawing>
      <rect x="3" y="3.5" width="14" height="13" rx="1.5" />
      <path d="M10 3.500v13" />
    </Drawing>
  ),
  layout4: (
    <Drawing>
      <rect x="3" y="3.5" width="14" height="13" rx="1.5" />
      <path d="M10 3.500v13M3 10h14" />
    </Drawing>
  ),
  overlay: (
    <Drawing>
      <path d="M4 6V4h12v2M10 4v12M7.5 16h5" />
    </Drawing>
  ),
  clear: (
    <Drawing>
      <path d="m8 16.5-4.7-4.700a1.4 1.4 0 0 1 0-2L9.8 3.300a1.4 1.4 0 0 1 2 0l4.7 4.700a1.4 1.4 0 0 1 0 2L10 16.500zM6.5 6.600l6.9 6.900M8 16.500h9" />
    </Drawing>
  ),
  help: (
    <Drawing>
      <rect x="2" y="5" width="16" height="10.5" rx="2" />
      <path d="M5 8.300h.01M8.3 8.300h.01M11.7 8.300h.01M15 8.300h.01M6 12.200h8" />
    </Drawing>
  ),
  play: (
    <Drawing>
      <path d="M6 4.200v11.600L15.5 10z" />
    </Drawing>
  ),
  pause: (
    <Drawing>
      <path d="M7 4.500v11M13 4.500v11" strokeWidth="2.2" />
    </Drawing>
  ),
  navigator: (
    <Drawing>
      <rect x="2.5" y="3.5" width="15" height="13" rx="1.5" />
      <path d="M7.5 3.500v13" />
    </Drawing>
  ),
} as const;
