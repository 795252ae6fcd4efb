import { durationMs } from '#contract/metrics/lex.ts';
import { BUILTIN_POLICIES, type BuiltinPolicy } from '#features/alerts/builtin.ts';
import { alertmanagerConfig } from '#features/alerts/export/alertmanager.ts';
import { type ExportedPolicy, prometheusRules } from '#features/alerts/export/prometheus.ts';

const NOTE =
  '# Made by `node scripts/docs.ts` from the built-in policies; `caudal policies export` prints those of an installation.\n';

function exported(): ExportedPolicy[] {
  return Object.values<BuiltinPolicy>(BUILTIN_POLICIES).map((policy) => ({
    ...policy,
    workspace_id: null,
    notify: policy.notify ?? {},
    labels: {},
    for_ms: durationMs(policy.for ?? '0s'),
    keep_firing_for_ms: durationMs(policy.keep_firing_for ?? '0s'),
  }));
}

export const rulesFile = (): string => NOTE + prometheusRules(exported());
export const alertmanagerFile = (): string => NOTE + alertmanagerConfig(exported());
