import type { MetricEntry } from '#contract/metric-entry.ts';
import { METRICS } from '#contract/metrics.ts';
import { prometheusName } from '#contract/prometheus-names.ts';
import { ATTRIBUTES, SPANS } from '#contract/spans.ts';
import { markdownTable } from './table.ts';

/** docs/telemetry.md: everything that Caudal tells about itself, from the tables that it is made of. */
export function telemetryPage(): string {
  const metrics = (Object.entries(METRICS) as [string, MetricEntry][]).map(([name, entry]) => [
    `\`${name}\``,
    `\`${prometheusName(name, entry.unit, entry.type === 'counter')}\``,
    entry.type,
    entry.unit,
    entry.description,
    entry.attributes.map((attribute) => `\`${attribute}\``).join(' '),
  ]);
  const spans = Object.entries(SPANS).map(([name, { service, kind, what }]) => [
    `\`${name}\``,
    service.replace(/(^|, )-/g, '$1caudal-'),
    kind,
    what,
  ]);
  const attributes = Object.entries(ATTRIBUTES).map(([name, what]) => [`\`${name}\``, what]);
  return `# Telemetry

What Caudal tells about itself, and how to ask. This page is made of the tables in \`src/contract\` by
\`node scripts/docs.ts\`; a test compares it with what a run leaves.

Send your own: point any OpenTelemetry SDK at the gateway, with a token that has the scope \`telemetry:write\`.

\`\`\`sh
export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:5050
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer $CAUDAL_TOKEN"
export OTEL_RESOURCE_ATTRIBUTES=service.namespace=shop,service.name=orders,service.instance.id=orders-1
\`\`\`

\`service.namespace\` is the **system**, the first thing that fleets, maps, policies and dashboards are divided by. Have a
backend already? The same variables on Caudal's own processes send its telemetry there, and Prometheus scrapes
\`/metrics\` (\`deploy/prometheus\`, \`deploy/grafana\`).

## Asking

| for | HTTP | command |
| --- | --- | --- |
| traces | \`GET /telemetry/traces\`, \`/telemetry/traces/{id}\` | \`caudal traces\`, \`caudal trace ID\` |
| logs | \`GET /telemetry/logs\`, \`…/facets\`, \`…/histogram\`, \`…/patterns\`, \`…/tail\` | \`caudal logs -f\` |
| metrics | \`GET /telemetry/metrics\` | \`caudal metrics\` |
| services and their map | \`GET /telemetry/services\`, \`/telemetry/services/{service}\` | |
| all systems | \`GET /fleet\` | \`caudal fleet\` |
| several metrics at a glance | \`/dashboards\`, \`GET /dashboards/{id}/panels/{n}?system=&service=&instance=\`, \`…/grafana\` | |
| what something bad has touched | \`GET /telemetry/impact\`, \`POST /telemetry/impact/rerun\` | |
| anything, joined with your rows | \`POST /sql\` over \`telemetry.spans\`, \`.logs\`, \`.points\`, \`.red_1m\`, \`.traces\` | \`caudal sql\` |

\`\`\`sql
-- Which traces brought in the rows of one city
SELECT DISTINCT s.trace_id, s.time FROM orders o
JOIN telemetry.spans s ON json_extract_string(s.attrs, '/caudal.source.id') = o._source::VARCHAR WHERE o.city = 'Bogotá'
\`\`\`

Metrics are asked for in a part of PromQL, or in parameters that make such an expression:
\`GET /telemetry/metrics?metric=http.server.request.duration&quantile=0.95&group_by=http_route\`. Their names are
Prometheus', so a policy means the same here and there; a name without unit and \`_total\` is understood too.

## How long it is kept

Spans \`CAUDAL_SPAN_RETENTION\`, logs \`CAUDAL_LOG_RETENTION\`, raw metrics \`CAUDAL_METRIC_RETENTION\`, what is summed up of
spans \`CAUDAL_ROLLUP_RETENTION\`; altogether never more than \`CAUDAL_TELEMETRY_MAX_BYTES\` on disk. The oldest goes first;
the newest hour is never given up: when it alone does not fit, senders get 503 and keep what they have.

## Metrics

${markdownTable(['metric', 'in Prometheus and queries', 'type', 'unit', 'what', 'attributes'], metrics)}
Histograms have \`_bucket\`, \`_sum\` and \`_count\`. Series carry \`system\`, \`service\` and \`instance\` besides.

## Spans

${markdownTable(['span', 'service', 'kind', 'what'], spans)}
## Attributes

OpenTelemetry's semantic conventions first; Caudal's own are:

${markdownTable(['attribute', 'what'], attributes)}`;
}
