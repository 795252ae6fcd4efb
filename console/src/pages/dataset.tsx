import { Badge, Button, Menu, Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Dataset } from '../../../src/contract/datasets.ts';
import { datasetPath, get } from '../api.ts';
import { Quarantine } from '../parts/dataset/quarantine.tsx';
import { type ProfiledDataset, Schema } from '../parts/dataset/schema.tsx';
import { Sources } from '../parts/dataset/sources.tsx';
import { formatBytes, formatNumber } from '../parts/format.ts';
import { Icon } from '../parts/frame/icons.tsx';
import { PageButton } from '../parts/frame/link.tsx';
import { Page } from '../parts/frame/page.tsx';
import { Problem } from '../parts/frame/problem.tsx';
import { Waiting } from '../parts/frame/waiting.tsx';
import { RowsGrid } from '../parts/grid/rows-grid.tsx';
import { DATASET_TABS, type DatasetTab } from './dataset-search.ts';

const EXPORTS = ['csv', 'xlsx', 'parquet', 'ndjson'] as const;
const QUIET_MS = 5_000;
const route = getRouteApi('/data/$name');

/** One dataset: rows, schema, where they came from, and what did not fit. Every tab is a URL. */
export function DatasetPage() {
  const { name } = route.useParams();
  const { data: dataset, error } = useQuery({
    queryKey: ['dataset', name],
    queryFn: ({ signal }) => get<ProfiledDataset>(`${datasetPath(name)}?profile=true`, signal),
    refetchInterval: QUIET_MS,
  });
  return (
    <Page
      title={name}
      wide
      facts={dataset && <Facts dataset={dataset} />}
      actions={dataset && <Actions dataset={dataset} />}
    >
      {dataset ? <DatasetTabs dataset={dataset} /> : error ? <Problem error={error} /> : <Waiting />}
    </Page>
  );
}

function Facts({ dataset }: { dataset: Dataset }) {
  const { t } = useTranslation();
  const { rows, columns, bytes, version, description } = dataset;
  const facts = [
    t('data.rowCount', { count: rows, formatted: formatNumber(rows) }),
    t('data.columnCount', { count: columns.length, formatted: formatNumber(columns.length) }),
    formatBytes(bytes),
    `${t('data.version')} ${formatNumber(version)}`,
  ];
  return (
    <>
      <Text size="sm" c="dimmed" className="tabular">
        {facts.join(' · ')}
      </Text>
      {description && (
        <Text size="sm" mt={4} maw="80ch">
          {description}
        </Text>
      )}
    </>
  );
}

function Actions({ dataset: { name, form } }: { dataset: ProfiledDataset }) {
  const { t } = useTranslation();
  return (
    <>
      {form && (
        <Button component="a" href={form.url} target="_blank" rel="noopener" variant="default" size="sm">
          {t('data.form')}
        </Button>
      )}
      <PageButton to="/sql" search={{ dataset: name }} variant="default" size="sm">
        {t('data.query')}
      </PageButton>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default" size="sm" leftSection={<Icon name="download" />}>
            {t('data.export')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {EXPORTS.map((format) => (
            <Menu.Item key={format} component="a" href={`${datasetPath(name)}/rows.${format}`} download>
              {format.toUpperCase()}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

function DatasetTabs({ dataset }: { dataset: ProfiledDataset }) {
  const { t } = useTranslation();
  const { tab = 'rows', order } = route.useSearch();
  const navigate = route.useNavigate();
  const { name, rows, version, quarantined } = dataset;
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(next) => void navigate({ search: next === 'rows' ? {} : { tab: next as DatasetTab } })}
    >
      <Tabs.List mb="md" className="tabs">
        {DATASET_TABS.map((each) => (
          <Tabs.Tab
            key={each}
            value={each}
            rightSection={
              each === 'quarantine' && quarantined > 0 ? (
                <Badge color="orange.9" size="sm" variant="filled">
                  {formatNumber(quarantined)}
                </Badge>
              ) : undefined
            }
          >
            {t(`data.${each}`)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="rows">
        <RowsGrid
          key={`${name} ${order ?? ''}`}
          name={name}
          version={version}
          total={rows}
          order={order}
          onOrder={(next) => void navigate({ search: next ? { order: next } : {}, replace: true })}
        />
      </Tabs.Panel>
      <Tabs.Panel value="schema">
        <Schema dataset={dataset} />
      </Tabs.Panel>
      <Tabs.Panel value="sources">
        <Sources name={name} />
      </Tabs.Panel>
      <Tabs.Panel value="quarantine">
        <Quarantine dataset={dataset} />
      </Tabs.Panel>
    </Tabs>
  );
}
