/** Opening a session. */
export { SignIn } from './SignIn';
