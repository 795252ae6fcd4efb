import { Alert, Anchor, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { SYSTEM_COLUMNS } from '../../../../src/contract/columns.ts';
import { datasetPath, get, pagePath, type RowsPage } from '../../api.ts';
import { formatNumber } from '../format.ts';
import { Problem } from '../frame/problem.tsx';
import { Waiting } from '../frame/waiting.tsx';
import { Grid } from './grid.tsx';
import { RowDrawer } from './row-drawer.tsx';

/** The first page is small so that something is seen soon. */
const FIRST_PAGE = 100;
const PAGE = 1_000;
/** Beyond it one sorts, queries or exports; a browser also ends at 33 million pixels of height. */
const MOST_ROWS = 100_000;

interface RowsGridProps {
  name: string;
  version: number;
  total: number;
  order: string | undefined;
  onOrder(order: string | undefined): void;
}

/** A dataset's rows: pages are fetched as they come into view, and only what is seen is in the document. */
export function RowsGrid({ name, version, total, order, onOrder }: RowsGridProps) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<number | null>(null);
  // What one is reading stays as it is; a newer version is offered.
  const [shown, setShown] = useState(version);
  const pages = useRows(name, shown, order);
  const { hasNextPage, isFetching, fetchNextPage } = pages;
  const loaded = pages.data ? loadedRows(pages.data.pages) : 0;
  const [seen, setSeen] = useState(0);
  const wanted = hasNextPage && !isFetching && !pages.isError && loaded < MOST_ROWS && seen >= loaded - FIRST_PAGE / 2;
  useEffect(() => {
    if (wanted) void fetchNextPage();
  }, [wanted, fetchNextPage]);
  const rowAt = useCallback((index: number) => rowOf(pages.data?.pages ?? [], index), [pages.data]);
  const columns = useMemo(() => ownColumns(pages.data?.pages[0]), [pages.data]);
  if (pages.isPending) return <Waiting />;
  if (pages.isError && loaded === 0) return <Problem error={pages.error} />;
  if (loaded === 0) {
    return (
      <Text c="dimmed" ta="center" py="xl">
        {t('rows.empty')}
      </Text>
    );
  }
  const count = Math.min(MOST_ROWS, hasNextPage ? Math.max(total, loaded) : loaded);
  return (
    <>
      {shown !== version && (
        <Alert variant="outline" mb="sm" role="status">
          <Anchor component="button" type="button" size="sm" onClick={() => setShown(version)}>
            {t('rows.newer', { version: formatNumber(version) })}
          </Anchor>
        </Alert>
      )}
      <Grid
        key={shown}
        label={t('rows.label', { name })}
        columns={columns}
        count={count}
        rowAt={rowAt}
        onSeen={setSeen}
        onOpen={setOpened}
        order={order}
        onOrder={onOrder}
      />
      <Text size="sm" c="dimmed" mt={6} className="tabular" data-loaded={loaded}>
        {t(total > MOST_ROWS ? 'rows.first' : 'rows.shown', {
          shown: formatNumber(Math.min(count, loaded)),
          total: formatNumber(total),
          most: formatNumber(MOST_ROWS),
        })}
      </Text>
      {pages.isError && <Problem error={pages.error} />}
      <RowDrawer
        name={name}
        columns={columns}
        row={opened === null ? undefined : rowAt(opened)}
        number={(opened ?? 0) + 1}
        onClose={() => setOpened(null)}
      />
    </>
  );
}

function useRows(name: string, version: number, order: string | undefined) {
  const sorted = order === undefined ? '' : `&order=${encodeURIComponent(order)}`;
  return useInfiniteQuery({
    queryKey: ['rows', name, version, order],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const limit = pageParam === '' ? FIRST_PAGE : PAGE;
      return get<RowsPage>(
        pagePath(`${datasetPath(name)}/rows?include=source&limit=${limit}${sorted}`, pageParam),
        signal,
      );
    },
    getNextPageParam: (last) => last.next_cursor,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

function loadedRows(pages: readonly RowsPage[]): number {
  return pages.reduce((sum, page) => sum + page.rows.length, 0);
}

/** Every page but the first, and the last, has the same length. */
function rowOf(pages: readonly RowsPage[], index: number): Record<string, unknown> | undefined {
  if (index < FIRST_PAGE) return pages[0]?.rows[index];
  const rest = index - FIRST_PAGE;
  return pages[1 + Math.floor(rest / PAGE)]?.rows[rest % PAGE];
}

function ownColumns(page: RowsPage | undefined): RowsPage['columns'] {
  return page?.columns.filter(({ name }) => !(SYSTEM_COLUMNS as readonly string[]).includes(name)) ?? [];
}
