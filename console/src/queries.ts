import { notifications } from '@mantine/notifications';
import { type InfiniteData, QueryClient } from '@tanstack/react-query';
import type { File as CaudalFile } from '../../src/contract/files.ts';
import { ApiError, call, get, type Page } from './api.ts';
import { wordsOf } from './parts/frame/problem.tsx';
import { type Me, setSession } from './session.ts';
import type { UploadEntry } from './uploads/entry.ts';
import { openUploads } from './uploads/store.ts';

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (failures, error) =>
        failures < 3 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
});

let shown: string | undefined;

/** Asks the gateway who this is and shows it; what was fetched for somebody else is forgotten. @throws ApiError */
export async function enter(): Promise<void> {
  const me = await get<Me>('/auth/me');
  const viewer = `${me.id} ${me.workspace_id}`;
  if (shown !== undefined && shown !== viewer) queries.clear();
  shown = viewer;
  openUploads(me.workspace_id, arrived);
  setSession({ status: 'in', me });
}

/** A file that has been sent; a video becomes clips now. */
function arrived(file: CaudalFile, video: UploadEntry['video']): void {
  showFile(file);
  if (!video) return;
  call('POST', '/tasks', { file_id: file.id, options: video.options })
    .catch((error) => notifications.show({ color: 'red', message: wordsOf(error) }))
    .finally(() => void queries.invalidateQueries({ queryKey: ['videos'] }));
}

/** In the list at once, so that a line does not vanish until the next look at the server. */
function showFile(file: CaudalFile): void {
  queries.setQueryData<InfiniteData<Page<CaudalFile>>>(['files'], (data) => {
    const [first, ...rest] = data?.pages ?? [];
    if (!data || !first) return data;
    const known = data.pages.some((page) => page.items.some(({ id }) => id === file.id));
    const shown = (page: Page<CaudalFile>) => ({
      ...page,
      items: page.items.map((each) => (each.id === file.id ? file : each)),
    });
    const newest = known ? first : { ...first, items: [file, ...first.items] };
    return { ...data, pages: [newest, ...rest].map(shown) };
  });
  void queries.invalidateQueries({ queryKey: ['files'] });
}

export function leave(): void {
  queries.clear();
  shown = undefined;
  setSession({ status: 'out', ended: false });
}
