import { Box, Text, Title, UnstyledButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Dataset } from '../../../../src/contract/datasets.ts';
import { get, type Page } from '../../api.ts';
import { quoted } from './text.ts';

const MOST_COLUMNS = 200;

/** What there is to ask, and a click that writes its name. */
export function Relations({ onInsert }: { onInsert: (text: string) => void }) {
  const { t } = useTranslation();
  const datasets = useQuery({
    queryKey: ['datasets', 'all'],
    queryFn: ({ signal }) => get<Page<Dataset>>('/datasets?limit=1000', signal),
  });
  return (
    <Box component="aside" className="surface relations" p="sm">
      <Title order={2} size="h6" mb={6}>
        {t('data.title')}
      </Title>
      {datasets.data?.items.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('data.empty')}
        </Text>
      )}
      {datasets.data?.items.map(({ id, name, columns }) => (
        <details key={id}>
          <summary className="wrap">{name}</summary>
          <Name name={name} type="" onInsert={onInsert} />
          {columns.slice(0, MOST_COLUMNS).map((column) => (
            <Name key={column.field_id} name={column.name} type={column.type} onInsert={onInsert} />
          ))}
        </details>
      ))}
    </Box>
  );
}

function Name({ name, type, onInsert }: { name: string; type: string; onInsert: (text: string) => void }) {
  return (
    <UnstyledButton className="relation-name wrap" onClick={() => onInsert(quoted(name))}>
      {name} <span className="type">{type}</span>
    </UnstyledButton>
  );
}
