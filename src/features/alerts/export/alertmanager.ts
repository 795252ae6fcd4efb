import { stringify } from 'yaml';
import { quoted } from '#contract/metrics/print.ts';
import { DEFAULT_WAITS } from '../notify/plan.ts';
import { type ExportedPolicy, isScrapable } from './prometheus.ts';

/**
 * An Alertmanager configuration that groups, waits, repeats and inhibits as Caudal does; `amtool check-config` accepts
 * it. Where mails go is left as an example: addresses and secrets are never exported.
 */
export function alertmanagerConfig(policies: readonly ExportedPolicy[]): string {
  const exported = policies.filter(isScrapable);
  const config = {
    global: { smtp_smarthost: 'localhost:25', smtp_from: 'caudal@localhost', smtp_require_tls: false },
    route: {
      receiver: 'operators',
      group_by: ['alertname'],
      ...DEFAULT_WAITS,
      routes: exported.flatMap(routeOf),
    },
    receivers: [{ name: 'operators', email_configs: [{ to: 'operators@localhost', send_resolved: true }] }],
    inhibit_rules: exported.flatMap(inhibitionsOf),
  };
  return stringify(config, { lineWidth: 0 });
}

/** Only policies that differ from the defaults need a route of their own. */
function routeOf({ name, notify }: ExportedPolicy) {
  const { group_by, group_wait, group_interval, repeat_interval } = notify;
  const own = Object.entries({ group_wait, group_interval, repeat_interval }).filter(
    ([, value]) => value !== undefined,
  );
  if (own.length === 0 && !group_by?.length) return [];
  const by = group_by?.length
    ? { group_by: ['alertname', ...group_by.map((label) => label.replaceAll('.', '_'))] }
    : {};
  return [{ matchers: [`alertname = ${quoted(name)}`], ...by, ...Object.fromEntries(own) }];
}

function inhibitionsOf({ name, notify }: ExportedPolicy) {
  return (notify.inhibited_by ?? []).map((source) => ({
    source_matchers: [`alertname = ${quoted(source)}`],
    target_matchers: [`alertname = ${quoted(name)}`],
  }));
}
