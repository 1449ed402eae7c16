/** Furniture without domain words. */
export { ErrorState } from './ErrorState';
export { IconButton } from './IconButton';
export { Logo } from './Logo';
export { Spinner } from './Spinner';
export { StateMessage } from './StateMessage';
export { useElementHeight } from './useElementHeight';
export { useIsNarrow, useMediaQuery } from './useMediaQuery';
