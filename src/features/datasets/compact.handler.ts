import { traceIdOf } from '#contract/carrier.ts';
import { CaudalError } from '#kernel/errors.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import { type CompactionOptions, compact } from '#platform/lake/compaction.ts';
import type { RewriteTools } from '#platform/lake/rewrite.ts';
import { currentCarrier, withSpan } from '#platform/observe/tracing.ts';
import type { TaskContext, TaskDefinition } from '#platform/queue/task.ts';

export interface CompactDeps extends RewriteTools {
  db: Db;
  options?: CompactionOptions;
}

/** Merges a dataset's small segments. Run twice it does nothing the second time: each merge commits for itself. */
export function compactTask(deps: CompactDeps): TaskDefinition<'compact'> {
  return { kind: 'compact', handle: (context) => run(deps, context) };
}

async function run(deps: CompactDeps, { task, signal, succeed }: TaskContext<'compact'>): Promise<void> {
  const { workspace_id, input } = task;
  const attributes = { 'caudal.workspace': workspace_id, 'caudal.dataset.id': input.dataset_id };
  const merged = await withSpan('compact', { attributes }, async (span) => {
    const trace_id = traceIdOf(currentCarrier());
    const options = deps.options ? { options: deps.options } : {};
    const target = { workspace_id, dataset_id: input.dataset_id, task_id: task.id, trace_id, signal };
    const count = await compact(deps.db, deps, { ...target, ...options }).catch(unlessDeleted);
    span.setAttribute('caudal.segments', count);
    return count;
  });
  await transaction(deps.db, (tx) => succeed(tx, { merged }));
}

/** Whoever deletes the dataset meanwhile leaves nothing to merge. */
function unlessDeleted(error: unknown): number {
  if (error instanceof CaudalError && error.code === 'dataset_not_found') return 0;
  throw error;
}
