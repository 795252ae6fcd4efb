import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { namesIn } from '#contract/metrics/catalogue.ts';
import { parseExpression } from '#contract/metrics/parse.ts';

const BOARDS = join(import.meta.dirname, '../../deploy/grafana/*.json');

/** The series that the panels of the exported Grafana dashboards ask for. */
export function seriesOfDashboards(): string[] {
  const expressions: string[] = [];
  for (const path of globSync(BOARDS)) {
    JSON.parse(readFileSync(path, 'utf8'), (key, value) => {
      if (key === 'expr') expressions.push(value);
      return value;
    });
  }
  return expressions.flatMap((text) =>
    namesIn(
      parseExpression(text.replaceAll('$__rate_interval', '5m').replaceAll(/\$(system|service|instance)/g, '.*')),
    ),
  );
}
