import { Button, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { get, type Page, pagePath } from '../../api.ts';
import { Problem } from './problem.tsx';
import { Waiting } from './waiting.tsx';

/** A list of the API as far as it has been fetched. `every`: when it is fetched anew, in ms, by what is in it. */
export function usePages<Item>(key: readonly unknown[], path: string, every?: (items: Item[]) => number) {
  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => get<Page<Item>>(pagePath(path, pageParam), signal),
    getNextPageParam: (last) => last.next_cursor,
    refetchInterval: ({ state }) => every?.(itemsOf(state.data)) ?? false,
  });
  return { query, items: itemsOf(query.data) };
}

function itemsOf<Item>(data: { pages: Page<Item>[] } | undefined): Item[] {
  return data?.pages.flatMap((page) => page.items) ?? [];
}

interface PagedListProps {
  query: ReturnType<typeof usePages>['query'];
  /** How many lines there are, those that are not of the API included. */
  count: number;
  empty: ReactNode;
  children: ReactNode;
}

/** Waiting, what went wrong, the words for nothing, or the lines; and a way to more of them. */
export function PagedList({ query, count, empty, children }: PagedListProps) {
  const { t } = useTranslation();
  return (
    <>
      {query.isPending && <Waiting />}
      {query.isError && <Problem error={query.error} />}
      {query.isSuccess && count === 0 && (
        <Text c="dimmed" ta="center" py="xl">
          {empty}
        </Text>
      )}
      {!query.isPending && count > 0 && children}
      {query.hasNextPage && (
        <Button variant="subtle" m="sm" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {t('frame.more')}
        </Button>
      )}
    </>
  );
}
