import { Box, Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { LogLine } from '../../../../src/contract/telemetry.ts';
import { formatNumber } from '../format.ts';

const MOST = 500;

export function Logs({ logs }: { logs: readonly LogLine[] }) {
  const { t } = useTranslation();
  if (logs.length === 0) return null;
  return (
    <Box className="surface" p="md">
      <Title order={2} size="h5" mb="xs">
        {t('trace.logs', { count: logs.length, formatted: formatNumber(logs.length) })}
      </Title>
      <ol className="logs">
        {logs.slice(0, MOST).map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: log lines have no id and never move
          <li key={index} data-severity={line.severity}>
            <time dateTime={line.time}>{line.time.slice(11, 23)}</time> <b>{line.severity ?? ''}</b>{' '}
            <Text span inherit c="dimmed">
              {line.service}
            </Text>{' '}
            {line.body}
          </li>
        ))}
      </ol>
    </Box>
  );
}
