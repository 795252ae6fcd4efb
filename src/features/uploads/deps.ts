import type { Task } from '#contract/tasks.ts';
import type { Clock } from '#kernel/clock.ts';
import type { Db } from '#platform/db/db.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';

/** What a role hands this feature. */
export interface UploadDeps {
  db: Db;
  store: ObjectStore;
  enqueue: Enqueue;
  /** A task as the API shows it (the tasks feature's own view). @throws task_not_found */
  describeTask(workspaceId: string, taskId: string): Promise<Task>;
  /** Removes a file that has arrived, and its rows; gives the task that does the rest, if one does. */
  removeStored(request: { workspace_id: string; file_id: string; requested_by: string }): Promise<{ task_id?: string }>;
  settings: UploadSettings;
  clock: Clock;
}

export interface UploadSettings {
  /** The largest file accepted, in bytes. */
  max_bytes: number;
  /** Uploads to which nothing came for this long are swept. */
  retention_ms: number;
  /** How long a signed URL is valid. */
  url_lifetime_ms: number;
}
