import { Box, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { TraceSpan } from '../../../../src/contract/telemetry.ts';
import { formatExactTime, formatValue } from '../format.ts';
import { PageLink } from '../frame/link.tsx';

export function SpanDetail({ span }: { span: TraceSpan }) {
  const { t } = useTranslation();
  const { service, instance, kind, start, status_message, attributes, events, links } = span;
  const facts = Object.entries({ service, instance, kind, start, ...attributes }).filter(([, value]) => value !== null);
  return (
    <Box className="span-detail">
      {status_message && (
        <Text size="sm" c="red" className="wrap">
          {status_message}
        </Text>
      )}
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{formatValue(value)}</dd>
          </div>
        ))}
      </dl>
      {events.map((event, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: events have no id and never move
        <Box key={index} mt={6}>
          <Text size="sm" fw={600}>
            {event.name}
            {event.time && (
              <Text span size="xs" c="dimmed" ml={6}>
                {formatExactTime(event.time)}
              </Text>
            )}
          </Text>
          <dl className="facts">
            {Object.entries(event.attributes).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{formatValue(value)}</dd>
              </div>
            ))}
          </dl>
        </Box>
      ))}
      {links.map(
        (link) =>
          link.trace_id && (
            <PageLink
              key={`${link.trace_id} ${link.span_id}`}
              to="/trace/$id"
              params={{ id: link.trace_id }}
              search={link.span_id ? { span: link.span_id } : {}}
              size="sm"
            >
              {t('trace.linked')}
            </PageLink>
          ),
      )}
    </Box>
  );
}
