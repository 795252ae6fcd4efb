import { snapshot } from '#platform/lake/catalog.ts';
import { type RewriteTools, withoutSources } from '#platform/lake/rewrite.ts';
import { settleKeys } from '#platform/lake/settle-keys.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import type { TaskContext } from '#platform/queue/task.ts';
import { optionsOf } from './file-state.ts';
import type { CommitDeps, Placed, Settlement } from './load-commit.ts';

type Context = TaskContext<'load'>;

export interface SettledLoad {
  /** Without the rows whose keys were taken. */
  placed: Placed[];
  /** By dataset. */
  settled: Map<string, Settlement>;
}

/**
 * What ends with a load and which of its rows stay. A repeated load of a file stands for what the file brought
 * before, unless `append` was asked for in so many words: whoever sends a request again must not find his rows
 * twice, nor have them refused by the keys of the first time.
 */
export async function settleLoad(
  deps: CommitDeps,
  context: Context,
  placed: readonly Placed[],
  out_dir: string,
): Promise<SettledLoad> {
  const result: SettledLoad = { placed: [...placed], settled: new Map() };
  for (const id of new Set(placed.map(({ destination }) => destination.dataset_id))) {
    const group = placed.filter(({ destination }) => destination.dataset_id === id);
    const { tables, settlement } = await settleDataset(deps, context, group, out_dir);
    result.settled.set(id, settlement);
    const kept = new Map(group.map(({ table }, index) => [table, tables[index] ?? table]));
    result.placed = result.placed.map((one) => ({ ...one, table: kept.get(one.table) ?? one.table }));
  }
  return result;
}

async function settleDataset(
  deps: CommitDeps,
  context: Context,
  group: readonly Placed[],
  out_dir: string,
): Promise<{ tables: Placed['table'][]; settlement: Settlement }> {
  const { mode } = optionsOf(context.task.input);
  const tools: RewriteTools = { ...deps.limits, objects: deps.objects, temp_dir: deps.temp_dir };
  const { workspace_id } = context.task;
  const tables = group.map(({ table }) => table);
  const [first] = group;
  if (!first) return { tables, settlement: {} };
  const { existing, dataset_id, earlier } = first.destination;
  const ends = mode === undefined ? earlier : [];
  const whole = mode === 'replace' ? ({ drops: 'all' } as const) : undefined;
  if (existing?.key) {
    const { key } = existing;
    const request = { workspace_id, dataset_id, key, tables, ends: whole ? ('all' as const) : ends, out_dir };
    const attributes = { 'caudal.dataset': existing.name, 'caudal.workspace': workspace_id };
    const settled = await withSpan('settle keys', { attributes }, () => settleKeys(deps.db, tools, request));
    return { tables: settled.tables, settlement: { keys: settled.keys, ends, ...(whole ?? settled.removal) } };
  }
  if (whole || ends.length === 0) return { tables, settlement: whole ?? {} };
  const dataset = await snapshot(deps.db, { workspace_id, id: dataset_id });
  return { tables, settlement: { ...(await withoutSources(tools, dataset, ends)), ends } };
}
