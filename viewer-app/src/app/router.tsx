import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import type { QueryClient } from '@tanstack/react-query';
import { queryClient, whenUnauthorized } from './queryClient';
import { ensureSession, forgetSession, safeTarget } from './session';
import { PageError, PageNotFound, PagePending } from './shell/PageStates';

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({ component: Outlet });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search: Record<string, unknown>): { to?: string; expired?: boolean } => ({
    to: search['to'] === undefined ? undefined : safeTarget(search['to']),
    expired: search['expired'] === true ? true : undefined,
  }),
  component: lazyRouteComponent(() => import('./SignInPage'), 'SignInPage'),
});

const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  beforeLoad: async ({ context, location }) => {
    const session = await ensureSession(context.queryClient);
    const open = session && !session.must_change_password;
    if (!open) throw redirect({ to: '/sign-in', search: { to: location.href } });
  },
  component: lazyRouteComponent(() => import('./shell/Inside'), 'Inside'),
});

const shell = createRoute({
  getParentRoute: () => inside,
  id: 'shell',
  component: lazyRouteComponent(() => import('./shell/Shell'), 'Shell'),
});

const worklist = createRoute({
  getParentRoute: () => shell,
  path: '/',
  component: lazyRouteComponent(() => import('./WorklistPage'), 'WorklistPage'),
});

const text = (value: unknown) => (typeof value === 'string' && value ? value : undefined);

/** What the study page keeps in its address: identifiers only, never names. */
export interface StudySearchParams {
  readonly series?: string;
  readonly doc?: string;
  readonly mode?: 'split' | 'document';
}

const study = createRoute({
  getParentRoute: () => inside,
  path: '/studies/$studyUid',
  validateSearch: (search: Record<string, unknown>): StudySearchParams => ({
    series: text(search['series']),
    doc: text(search['doc']),
    mode: search['mode'] === 'split' || search['mode'] === 'document' ? search['mode'] : undefined,
  }),
  component: lazyRouteComponent(() => import('./study/StudyPage'), 'StudyPage'),
});

/** All pages. */
export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    inside.addChildren([shell.addChildren([worklist]), study]),
  ]),
  context: { queryClient },
  defaultPendingComponent: PagePending,
  defaultErrorComponent: PageError,
  defaultNotFoundComponent: PageNotFound,
  defaultPendingMs: 150,
});

whenUnauthorized(() => {
  if (router.state.location.pathname === '/sign-in') return;
  const { href } = router.state.location;
  forgetSession(queryClient);
  void router.navigate({ to: '/sign-in', search: { to: href, expired: true }, replace: true });
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
