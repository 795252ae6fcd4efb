import { type Db, rows, sql, type Tx } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';

/**
 * What a run of a task has put into the store and not yet committed. A run that is killed between the two leaves
 * objects that no row owns; the next run finds them here at once, where the sweeper would wait for an hour.
 */
interface LeftoverDeps {
  db: Db;
  objects: Pick<ObjectStore, 'delete'>;
}

/** To be called before the object is put: a kill in the middle is covered. */
export async function noteObject(db: Db, taskId: string, key: string): Promise<void> {
  await sql`INSERT INTO task_objects (task_id, object_key) VALUES (${taskId}, ${key})`.execute(db);
}

/** They have an owner now, or are gone. */
export async function forget(db: Db | Tx, taskId: string, keys: readonly string[]): Promise<void> {
  await sql`DELETE FROM task_objects WHERE task_id = ${taskId} AND object_key = ANY(${keys}::text[])`.execute(db);
}

/** Objects first: a crash in between leaves a row too many, never an object that nobody knows of. */
export async function removeObjects({ db, objects }: LeftoverDeps, taskId: string, keys: readonly string[]) {
  for (const key of keys) await objects.delete(key);
  await forget(db, taskId, keys);
}

/**
 * Removes what earlier runs of this task left behind. For a run that holds the task: theirs are fenced and can no longer
 * commit. One that was only frozen may put more when it wakes up; it removes that itself when its commit is refused.
 */
export async function removeLeftovers(deps: LeftoverDeps, taskId: string): Promise<void> {
  const left = await rows(
    deps.db,
    sql<{ object_key: string }>`SELECT object_key FROM task_objects WHERE task_id = ${taskId}`,
  );
  if (left.length === 0) return;
  await removeObjects(
    deps,
    taskId,
    left.map(({ object_key }) => object_key),
  );
}
