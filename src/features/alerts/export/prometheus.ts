import { stringify } from 'yaml';
import { isSloSeries, isUptimeSeries, namesIn } from '#contract/metrics/catalogue.ts';
import { durationText } from '#contract/metrics/lex.ts';
import { printExpression } from '#contract/metrics/print.ts';
import { compileCondition } from '../condition.ts';
import type { PolicyRow } from '../policies.ts';

export type ExportedPolicy = Pick<
  PolicyRow,
  | 'workspace_id'
  | 'name'
  | 'summary'
  | 'runbook'
  | 'severity'
  | 'condition'
  | 'for_ms'
  | 'keep_firing_for_ms'
  | 'labels'
  | 'notify'
>;

/** How often they are evaluated, here and there. */
const INTERVAL = '15s';
/**
 * Caudal watches heartbeats itself; from outside the same is seen when its processes cannot be scraped, or do not
 * answer the blackbox exporter.
 */
const INSTANCE_DOWN = 'up{job=~"caudal.*"} == 0 or probe_success{job=~"caudal.*"} == 0';

/** Policies as a rules file that `promtool check rules` accepts and that fires at the same instants. */
export function prometheusRules(policies: readonly ExportedPolicy[]): string {
  const left = policies.filter((policy) => !isScrapable(policy)).map(({ name }) => `#   ${JSON.stringify(name)}\n`);
  const why = '# Left out, because uptime checks and service levels of a workspace are not on /metrics:\n';
  const note = left.length > 0 ? why + left.join('') : '';
  const rules = policies.filter(isScrapable).map((policy) => ({
    alert: policy.name,
    expr: expressionOf(policy),
    ...(policy.for_ms > 0 ? { for: durationText(policy.for_ms) } : {}),
    ...(policy.keep_firing_for_ms > 0 ? { keep_firing_for: durationText(policy.keep_firing_for_ms) } : {}),
    labels: { severity: policy.severity, ...policy.labels },
    annotations: {
      ...(policy.summary ? { summary: templateText(policy.summary) } : {}),
      ...(policy.runbook ? { runbook: templateText(policy.runbook) } : {}),
    },
  }));
  return note + stringify({ groups: [{ name: 'caudal', interval: INTERVAL, rules }] }, { lineWidth: 0 });
}

/** Whether Prometheus can know its series: what only a workspace sees is not on `/metrics`. */
export function isScrapable({ condition, workspace_id }: ExportedPolicy): boolean {
  if (workspace_id === null || condition.kind === 'instance_down') return true;
  return !namesIn(compileCondition(condition).expression).some((name) => isSloSeries(name) || isUptimeSeries(name));
}

function expressionOf({ condition }: ExportedPolicy): string {
  return condition.kind === 'instance_down' ? INSTANCE_DOWN : printExpression(compileCondition(condition).expression);
}

/** Prometheus expands `{{ … }}` in annotations; these texts are people's, and mean what they say. */
const templateText = (text: string): string => text.replaceAll('{{', '{{ "{{" }}');
