import { Box, Code, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Dataset } from '../../../../src/contract/datasets.ts';
import { formatNumber, formatShare, formatTime } from '../format.ts';
import { Histogram } from './histogram.tsx';

/** As `GET /datasets/{name}?profile=true` answers it. */
export interface Profile {
  nulls: number;
  distinct: number;
  min: string | number | null;
  max: string | number | null;
  histogram?: { from: number; to: number; count: number }[] | null;
  top?: { value: string; count: number }[];
}

type Column = Dataset['columns'][number] & { profile?: Profile };
export type ProfiledDataset = Omit<Dataset, 'columns'> & { columns: Column[] };

export function Schema({ dataset }: { dataset: ProfiledDataset }) {
  const { t } = useTranslation();
  if (dataset.columns.length === 0) {
    return (
      <Text c="dimmed" ta="center" py="xl">
        {t('schema.empty')}
      </Text>
    );
  }
  return (
    <Box className="surface">
      <Table.ScrollContainer minWidth={720} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('schema.column')}</Table.Th>
              <Table.Th>{t('schema.type')}</Table.Th>
              <Table.Th className="number">{t('schema.nulls')}</Table.Th>
              <Table.Th className="number">{t('schema.distinct')}</Table.Th>
              <Table.Th>{t('schema.values')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {dataset.columns.map((column) => (
              <ColumnRow key={column.field_id} column={column} rows={dataset.rows} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Box>
  );
}

function ColumnRow({ column, rows }: { column: Column; rows: number }) {
  const { t } = useTranslation();
  const { name, type, profile, description, required } = column;
  return (
    <Table.Tr data-column={name}>
      <Table.Th scope="row" fw={500} className="wrap schema-name">
        {name}
        {description && (
          <Text size="xs" c="dimmed">
            {description}
          </Text>
        )}
      </Table.Th>
      <Table.Td>
        <Code>{type}</Code>
        {required && (
          <Text span size="xs" c="dimmed" ml={6}>
            {t('schema.required')}
          </Text>
        )}
      </Table.Td>
      <Table.Td className="number">{profile ? share(profile.nulls, rows) : '–'}</Table.Td>
      <Table.Td className="number">{profile ? formatNumber(profile.distinct) : '–'}</Table.Td>
      <Table.Td>{profile && <Values type={type} profile={profile} />}</Table.Td>
    </Table.Tr>
  );
}

function share(nulls: number, rows: number): string {
  if (nulls === 0 || rows === 0) return formatNumber(nulls);
  return `${formatNumber(nulls)} (${formatShare(nulls / rows)})`;
}

const TOP = 3;

/** Ordered types as a range with its shape, the others by what is frequent. */
function Values({ type, profile }: { type: string; profile: Profile }) {
  const { min, max, histogram, top = [] } = profile;
  const frequent = top.slice(0, TOP).map(({ value }) => value);
  if (histogram && histogram.length > 1) {
    return (
      <>
        <Histogram bars={histogram} />
        <Text size="xs" className="tabular" c="dimmed">
          {edge(type, min)} – {edge(type, max)}
        </Text>
      </>
    );
  }
  const words = frequent.length > 0 ? frequent.join(' · ') : [min, max].filter((each) => each !== null).join(' – ');
  return (
    <Text size="xs" c="dimmed" lineClamp={2} className="wrap" maw={380}>
      {words}
    </Text>
  );
}

function edge(type: string, value: string | number | null): string {
  if (value === null) return '–';
  if (typeof value === 'number') return formatNumber(value);
  return type === 'timestamp' && !Number.isNaN(Date.parse(value)) ? formatTime(value) : value;
}
