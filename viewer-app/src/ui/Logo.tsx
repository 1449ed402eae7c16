/** The mark: a film strip with a trace on it. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden focusable="false">
      <rect width="32" height="32" rx="7" fill="#0b5563" />
      <path
        d="M8 9.5h16M8 22.5h16"
        stroke="#8fe0e6"
        strokeWidth="2"
        strokeLinecap="round"
        strokeDasharray="2 3.5"
      />
      <rect x="8" y="12.5" width="16" height="7" rx="1.5" fill="#e8fbfc" />
      <path
        d="M10.5 18c2-4.2 3.6-4.2 5.5 0s3.5 0 5.5 0"
        fill="none"
        stroke="#0b5563"
        strokeWidth="1.6"
        strokeLinecap="round"
      />
    </svg>
  );
}
