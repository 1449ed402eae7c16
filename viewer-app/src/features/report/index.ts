/** Original documents: PDF, text, pictures, XML. */
export { Report } from './Report';
export type { ReportItem } from './Report';
