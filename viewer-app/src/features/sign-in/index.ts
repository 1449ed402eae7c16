/** Opening a session, and the new password that may have to come first. */
export { ChangePassword } from './ChangePassword';
export { SignIn } from './SignIn';
