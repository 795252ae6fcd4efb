import type { ReadRequest } from '#contract/load.ts';
import { type ColumnPlan, type Conventions, kindOfType } from './infer.ts';
import { TEXT } from './kinds.ts';

/**
 * Types that were asked for take the place of inferred ones: `options.types` first, then the columns
 * of a declared dataset. An existing inferred dataset only insists on text, because reading "1.50"
 * as a number and turning it into text later would lose what was written.
 *
 * @param before plans made from another sample, whose readings of asked-for types stay as they were
 */
export function applyTarget(
  plans: ColumnPlan[],
  rows: readonly (readonly string[])[],
  conventions: Conventions,
  request: Pick<ReadRequest, 'options' | 'target'>,
  before?: ColumnPlan[],
): ColumnPlan[] {
  const wanted = new Map<string, string>();
  const { target } = request;
  for (const column of target?.columns ?? []) {
    if (target?.mode === 'declared' || column.type === 'text') wanted.set(column.name.toLowerCase(), column.type);
  }
  for (const [name, type] of Object.entries(request.options.types ?? {})) wanted.set(name.toLowerCase(), type);
  const required = new Set(
    target?.columns.filter((column) => column.required).map((column) => column.name.toLowerCase()),
  );
  return plans.map((plan, index) => {
    const earlier = before?.[index];
    if (earlier?.declared) return earlier;
    const type = wanted.get(plan.name.toLowerCase());
    const needed = required.has(plan.name.toLowerCase());
    if (type === undefined) return needed ? { ...plan, required: true } : plan;
    const kind = kindOfType(
      type,
      rows.map((row) => row[index]),
      conventions,
    );
    if (kind === undefined) return { ...plan, kind: { ...TEXT, type }, nulls: [], trim: false, required: needed };
    return { ...plan, kind, trim: true, declared: true, required: needed };
  });
}
