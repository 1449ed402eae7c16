import styles from './SignIn.module.css';

const SLICES = Array.from({ length: 9 }, (_, index) => index);

/** A fan of slices: the drawing behind the sign-in words. */
export function Backdrop() {
  return (
    <svg className={styles['backdrop']} viewBox="0 0 600 800" preserveAspectRatio="xMidYMid slice" aria-hidden>
      <defs>
        <linearGradient id="slice" x1="0" y1="0" x2="1" y2="1">
          <stop offset="0" stopColor="#7fe3ec" stopOpacity="0.34" />
          <stop offset="1" stopColor="#7fe3ec" stopOpacity="0.02" />
        </linearGradient>
      </defs>
      {SLICES.map((index) => (
        <g
          key={index}
          transform={`translate(${352 + index * 15} ${690 - index * 26}) skewY(-12)`}
          opacity={0.16 + index * 0.075}
        >
          <rect x="-170" y="-105" width="340" height="210" rx="14" fill="url(#slice)" stroke="#8fe6ee" strokeOpacity="0.3" />
          <ellipse rx={118 - Math.abs(index - 4) * 9} ry={72 - Math.abs(index - 4) * 5} fill="none" stroke="#b8f3f7" strokeOpacity="0.4" />
          <ellipse cx="-50" rx={36 - Math.abs(index - 4) * 4} ry={46 - Math.abs(index - 4) * 5} fill="#022f38" fillOpacity="0.35" stroke="#b8f3f7" strokeOpacity="0.26" />
          <ellipse cx="50" rx={36 - Math.abs(index - 4) * 4} ry={46 - Math.abs(index - 4) * 5} fill="#022f38" fillOpacity="0.35" stroke="#b8f3f7" strokeOpacity="0.26" />
        </g>
      ))}
    </svg>
  );
}
