/** The series of an examination. */
export { SeriesList } from './SeriesList';
