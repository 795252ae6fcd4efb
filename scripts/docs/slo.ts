import { durationText } from '#contract/metrics/lex.ts';
import { BUILTIN_SLOS, type BuiltinSlo } from '#features/slos/builtin.ts';
import { BURN_ALERTS } from '#features/slos/burn.ts';

/** docs/slo.md: the built-in service levels, each with what it counts, why, what was discarded and what to do. */
export function sloPage(): string {
  const levels = Object.values<BuiltinSlo>(BUILTIN_SLOS);
  const alerts = BURN_ALERTS.map(
    ({ severity, rate, long, short }) =>
      `| ${rate} × | ${durationText(long)} and ${durationText(short)} | ${severity} |`,
  );
  return `# Service levels

Made from the tables of the program by \`node scripts/docs.ts\`.

A service level is a share of good events over a rolling window, counted minute by minute. What the target allows to go wrong is the
budget. Caudal brings these; they are the operator's to change (\`PATCH /slos/{id}\`), and anybody can add their own
(\`POST /slos\`, in OpenSLO's shape; \`caudal slo export\` prints OpenSLO documents).

Counts are increases over a minute as Prometheus extrapolates them, so that a minute's count may be a fraction; over hours they are right.
A policy fires when the budget burns too fast in a long and a short window at once (Google SRE workbook, chapter 5), and only from 50
events on (\`least_events\`):

| budget spent faster than allowed | windows | severity |
|---|---|---|
${alerts.join('\n')}

${levels.map(levelText).join('\n\n')}
`;
}

function levelText({ name, good, total, target, window, why, discarded, runbook }: BuiltinSlo): string {
  return `## ${name}

- **Objective**: ${Number((target * 100).toFixed(3))} % over ${window}.
- **Good**: \`${good}\`
- **All**: \`${total}\`
- **Why**: ${why}
- **Discarded**: ${discarded}
- **When it burns**: ${runbook}`;
}
