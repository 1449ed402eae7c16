/** Patient and examination at a glance. */
export { StudyHeader } from './StudyHeader';
