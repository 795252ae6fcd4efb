import { Box, Table, Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { VideoOutput } from '../../../../src/contract/video.ts';
import { formatDuration, formatNumber } from '../format.ts';
import { PageLink } from '../frame/link.tsx';

/** How the clips came to be, step by step; each leads to its span. */
export function LineageTable({ output, trace }: { output: VideoOutput; trace: string | null }) {
  const { t } = useTranslation();
  return (
    <Box className="surface" mt="md" p="md">
      <Title order={2} size="h5" mb="xs">
        {t('video.lineage')}
      </Title>
      <Table>
        <Table.Tbody>
          {output.lineage.map(({ step, span_id, ms }) => (
            <Table.Tr key={step} data-step={step}>
              <Table.Td>{t(`video.steps.${step}`, { defaultValue: step })}</Table.Td>
              <Table.Td className="number">{formatDuration(ms * 1e6)}</Table.Td>
              <Table.Td className="number">
                {trace && span_id && (
                  <PageLink to="/trace/$id" params={{ id: trace }} search={{ span: span_id }} size="sm">
                    {t('trace.show')}
                  </PageLink>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Box>
  );
}

/** What the video was before. */
export function SourceFacts({ source }: { source: VideoOutput['source'] }) {
  const { t } = useTranslation();
  const { container, codec, display_width, display_height, duration, fps, audio, hdr } = source;
  const facts = [
    `${container} · ${codec}${hdr ? ' · HDR' : ''}`,
    `${formatNumber(Number(display_width))} × ${formatNumber(Number(display_height))}`,
    `${formatNumber(Number(duration))} s`,
    t('video.fps', { rate: formatNumber(Number(fps)) }),
    audio ? String(audio) : t('video.noSound'),
  ];
  return (
    <Text size="sm" c="dimmed" className="tabular">
      {t('video.source')}: {facts.join(' · ')}
    </Text>
  );
}
