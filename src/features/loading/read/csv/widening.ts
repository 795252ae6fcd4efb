import type { ReadContext } from '../reader.ts';
import type { Written } from '../write.ts';
import type { ColumnPlan } from './infer.ts';
import { TEXT } from './kinds.ts';
import { type CsvSource, inferExactly, Misfit, writeTyped } from './typed.ts';

/** Tries the inferred types; what does not fit is inferred again over all rows, at last as text. */
export async function writeWidening(
  context: ReadContext,
  source: CsvSource,
  plans: ColumnPlan[],
  source_id: string,
  group?: number,
  onSurprise?: () => Promise<void>,
): Promise<{ written: Written; plans: ColumnPlan[] }> {
  try {
    return { written: await writeTyped(context, source, plans, source_id, group), plans };
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    await onSurprise?.();
  }
  const exact = await inferExactly(context, source, plans);
  try {
    return { written: await writeTyped(context, source, exact, source_id, group), plans: exact };
  } catch (error) {
    if (!(error instanceof Misfit) || plans.some((plan) => plan.declared)) throw error;
  }
  const text = exact.map((plan) => ({ ...plan, kind: TEXT, nulls: [], trim: false }));
  return { written: await writeTyped(context, source, text, source_id, group), plans: text };
}
