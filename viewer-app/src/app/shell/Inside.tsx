import { Outlet } from '@tanstack/react-router';
import { useSession } from '../session';
import { Watermark } from './Watermark';

/** Everything behind the sign-in: the page, and over it who is reading. */
export function Inside() {
  const session = useSession();
  return (
    <>
      <Outlet />
      <Watermark text={`${session.display_name} ${session.user}`} />
    </>
  );
}
