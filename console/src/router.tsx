import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { datasetSearch } from './pages/dataset-search.ts';
import { FilesPage } from './pages/files.tsx';
import { Broken, NotFound } from './parts/frame/dead-ends.tsx';
import { Shell } from './parts/frame/shell.tsx';

const root = createRootRoute({ component: Shell });
const parent = { getParentRoute: () => root };

function text<K extends string>(key: K) {
  return (search: Record<string, unknown>): Partial<Record<K, string>> => {
    const value = search[key];
    return typeof value === 'string' ? ({ [key]: value } as Record<K, string>) : {};
  };
}

/** The first page comes with the frame; the others when they are asked for. Server side: src/roles/console.ts. */
const pages = [
  createRoute({ ...parent, path: '/', component: FilesPage }),
  createRoute({
    ...parent,
    path: '/data',
    component: lazyRouteComponent(() => import('./pages/datasets.tsx'), 'DatasetsPage'),
  }),
  createRoute({
    ...parent,
    path: '/data/$name',
    validateSearch: datasetSearch,
    component: lazyRouteComponent(() => import('./pages/dataset.tsx'), 'DatasetPage'),
  }),
  createRoute({
    ...parent,
    path: '/trace/$id',
    validateSearch: text('span'),
    component: lazyRouteComponent(() => import('./pages/trace.tsx'), 'TracePage'),
  }),
  createRoute({
    ...parent,
    path: '/sql',
    validateSearch: text('dataset'),
    component: lazyRouteComponent(() => import('./pages/sql.tsx'), 'SqlPage'),
  }),
  createRoute({
    ...parent,
    path: '/videos',
    component: lazyRouteComponent(() => import('./pages/videos.tsx'), 'VideosPage'),
  }),
  createRoute({
    ...parent,
    path: '/videos/$id',
    component: lazyRouteComponent(() => import('./pages/video.tsx'), 'VideoPage'),
  }),
  createRoute({
    ...parent,
    path: '/reset-password',
    component: lazyRouteComponent(() => import('./pages/reset-password.tsx'), 'ResetPasswordPage'),
  }),
  createRoute({
    ...parent,
    path: '/invitation',
    component: lazyRouteComponent(() => import('./pages/invitation.tsx'), 'InvitationPage'),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([...pages]),
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
