/** Finding an examination. */
export { Worklist } from './Worklist';
