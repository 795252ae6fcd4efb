import { Badge, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Trace } from '../../../src/contract/telemetry.ts';
import { ApiError, get } from '../api.ts';
import { formatDuration, formatNumber } from '../parts/format.ts';
import { Page } from '../parts/frame/page.tsx';
import { Problem } from '../parts/frame/problem.tsx';
import { Waiting } from '../parts/frame/waiting.tsx';
import { Time } from '../parts/time.tsx';
import { Logs } from '../parts/trace/logs.tsx';
import { colourOf } from '../parts/trace/services.ts';
import { Spans } from '../parts/trace/spans.tsx';
import { layOut } from '../parts/trace/waterfall.ts';

const route = getRouteApi('/trace/$id');
/** Spans arrive up to some seconds after the work they tell of; a finished trace is not asked for again. */
const LOOK_EVERY_MS = 2_000;
const LOOKS = 10;

/** The way of one request through every process, span by span. */
export function TracePage() {
  const { t } = useTranslation();
  const { id } = route.useParams();
  const { span } = route.useSearch();
  const trace = useQuery({
    queryKey: ['trace', id],
    queryFn: ({ signal }) => get<Trace>(`/telemetry/traces/${encodeURIComponent(id)}`, signal),
    refetchInterval: ({ state }) =>
      state.status === 'success' && state.dataUpdateCount < LOOKS ? LOOK_EVERY_MS : false,
    retry: (failures, error) => failures < LOOKS && error instanceof ApiError && error.status === 404,
    retryDelay: LOOK_EVERY_MS,
  });
  const { data } = trace;
  const waterfall = useMemo(() => layOut(data?.spans ?? []), [data]);
  const services = useMemo(() => [...new Set(waterfall.rows.map((row) => row.span.service))], [waterfall]);
  return (
    <Page title={t('trace.title')} wide facts={<Text className="mono wrap">{id}</Text>}>
      {trace.isPending && <Waiting />}
      {trace.isError && <Problem error={trace.error} />}
      {data && (
        <>
          <Summary trace={data} length_ns={waterfall.length_ns} services={services} />
          <Spans key={id} waterfall={waterfall} services={services} chosen={span} />
          <Logs logs={data.logs} />
        </>
      )}
    </Page>
  );
}

function Summary({ trace, length_ns, services }: { trace: Trace; length_ns: number; services: string[] }) {
  const { t } = useTranslation();
  const { spans } = trace;
  const processes = new Set(spans.map(({ service, instance }) => `${service} ${instance}`)).size;
  const failed = spans.filter(({ status }) => status === 'error').length;
  const [first] = spans;
  return (
    <Group gap="md" mb="md" className="tight">
      <Text size="sm" className="tabular">
        {first && <Time at={first.start} />} · <b>{formatDuration(length_ns)}</b> ·{' '}
        {t('trace.spans', { count: spans.length, formatted: formatNumber(spans.length) })} ·{' '}
        {t('trace.processes', { count: processes, formatted: formatNumber(processes) })}
      </Text>
      {failed > 0 && (
        <Badge color="red.8" tt="none">
          {t('trace.errors', { count: failed, formatted: formatNumber(failed) })}
        </Badge>
      )}
      {services.map((service) => (
        <Text key={service} size="sm">
          <span className="dot" style={{ background: colourOf(services, service) }} />
          {service}
        </Text>
      ))}
    </Group>
  );
}
