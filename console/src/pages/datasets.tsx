import { Box, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Dataset } from '../../../src/contract/datasets.ts';
import { formatBytes, formatNumber } from '../parts/format.ts';
import { PageLink } from '../parts/frame/link.tsx';
import { Page } from '../parts/frame/page.tsx';
import { PagedList, usePages } from '../parts/frame/pages.tsx';
import { Time } from '../parts/time.tsx';

const QUIET_MS = 5_000;

export function DatasetsPage() {
  const { t } = useTranslation();
  return (
    <Page title={t('data.title')}>
      <Datasets />
    </Page>
  );
}

function Datasets() {
  const { t } = useTranslation();
  const { query, items } = usePages<Dataset>(['datasets'], '/datasets?limit=100', () => QUIET_MS);
  const empty = (
    <>
      {t('data.empty')} <PageLink to="/">{t('data.toFiles')}</PageLink>
    </>
  );
  return (
    <PagedList query={query} count={items.length} empty={empty}>
      <Box className="surface">
        <Table verticalSpacing="sm" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('data.name')}</Table.Th>
              <Table.Th className="number">{t('data.rows')}</Table.Th>
              <Table.Th className="number" visibleFrom="sm">
                {t('data.columns')}
              </Table.Th>
              <Table.Th className="number" visibleFrom="sm">
                {t('data.size')}
              </Table.Th>
              <Table.Th className="number" visibleFrom="md">
                {t('data.version')}
              </Table.Th>
              <Table.Th visibleFrom="md">{t('data.updated')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((dataset) => (
              <DatasetRow key={dataset.id} dataset={dataset} />
            ))}
          </Table.Tbody>
        </Table>
      </Box>
    </PagedList>
  );
}

function DatasetRow({ dataset }: { dataset: Dataset }) {
  const { t } = useTranslation();
  const { name, rows, columns, bytes, version, updated_at, quarantined, description } = dataset;
  return (
    <Table.Tr>
      <Table.Td>
        <PageLink to="/data/$name" params={{ name }} size="sm" fw={500} className="wrap">
          {name}
        </PageLink>
        {description && (
          <Text size="xs" c="dimmed" lineClamp={2}>
            {description}
          </Text>
        )}
        {quarantined > 0 && (
          <PageLink to="/data/$name" params={{ name }} search={{ tab: 'quarantine' }} size="xs" display="block">
            {t('files.quarantined', { count: quarantined, formatted: formatNumber(quarantined) })}
          </PageLink>
        )}
      </Table.Td>
      <Table.Td className="number">{formatNumber(rows)}</Table.Td>
      <Table.Td className="number" visibleFrom="sm">
        {formatNumber(columns.length)}
      </Table.Td>
      <Table.Td className="number" visibleFrom="sm">
        {formatBytes(bytes)}
      </Table.Td>
      <Table.Td className="number" visibleFrom="md">
        {formatNumber(version)}
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Time at={updated_at} />
      </Table.Td>
    </Table.Tr>
  );
}
