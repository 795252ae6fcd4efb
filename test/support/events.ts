import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import pino from 'pino';
import { readConfig } from '#config';
import { datasetRoutes } from '#features/datasets/datasets.route.ts';
import { rowRoutes } from '#features/datasets/rows/insert.route.ts';
import type { DrainDeps } from '#features/events/drain/drain.ts';
import { startDrains } from '#features/events/drain/drains.ts';
import { publishRoutes } from '#features/events/publish.route.ts';
import { topicRoutes } from '#features/events/topics.route.ts';
import { conform, quarantineOf } from '#features/loading/conform.ts';
import { createStreamWriter } from '#features/loading/read/stream/spawn.ts';
import { getTask, toTask } from '#features/tasks/tasks.ts';
import { newId } from '#kernel/ids.ts';
import type { Db } from '#platform/db/db.ts';
import { createListener } from '#platform/db/listen.ts';
import { createNamedLocks } from '#platform/db/named-locks.ts';
import type { App } from '#platform/http/app.ts';
import { snapshot } from '#platform/lake/catalog.ts';
import { openSegments } from '#platform/lake/local.ts';
import { relation } from '#platform/lake/view.ts';
import { createAppender } from '#platform/stream/appender.ts';
import { createBatchWaiter } from '#platform/stream/wait.ts';
import { openForms } from '#roles/forms.ts';
import { testDatabase } from './database.ts';
import { testGateway } from './http.ts';
import { newWorkspace } from './lake.ts';
import { directoryObjects } from './objects.ts';
import { testQueue } from './worker.ts';

const LIMITS = { memory_bytes: 500e6, threads: 1, max_columns: 50, max_value_bytes: 1e6, timeout_ms: 60_000 };
const MAX_BYTES = 1e6;
/** A drain takes a second; a machine that does other things may need minutes. */
const PATIENCE_MS = 300_000;

/** A gateway with topics, and as many drains as a test starts: everything gone when the test file ends. */
export async function eventsRoom(more: (deps: { db: Db }) => (app: App) => void = () => () => undefined) {
  const root = await mkdtemp(join(tmpdir(), 'caudal-events-'));
  const [temp_dir, objectsDir] = [join(root, 'temp'), join(root, 'objects')];
  await mkdir(temp_dir);
  await mkdir(objectsDir);
  const database = await testDatabase();
  const { db, pool, url } = database;
  const log = pino({ level: 'silent' });
  const workspace_id = await newWorkspace(db);
  const { enqueue, work, ended } = await testQueue(database);
  const objects = directoryObjects(objectsDir);
  const writer = createStreamWriter({ log, memory_bytes: LIMITS.memory_bytes });
  const listener = createListener(url, log);
  const waiter = createBatchWaiter(db, listener);
  const appender = createAppender({ pool });
  const drainDeps: DrainDeps = {
    ...{ db, objects, enqueue, temp_dir, limits: LIMITS },
    write: writer.write,
    conform: async (table, { name, declared }, out_dir, signal) =>
      declared ? conform(table, { name, declared }, { ...LIMITS, out_dir, signal }) : table,
    readQuarantine: quarantineOf,
  };
  const closing: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const close of closing) await close();
    waiter.close();
    await appender.close();
    await listener.close();
    await writer.close();
    await rm(root, { recursive: true, force: true });
  });
  const forms = await openForms({ config: readConfig({}), log, objects, database, tempDir: temp_dir });
  closing.push(forms.close);
  const streams = { db, appender, waiter };
  const gateway = await testGateway(db, async (app) => {
    await app.register(publishRoutes({ ...streams, max_bytes: MAX_BYTES, wait_ms: PATIENCE_MS }));
    topicRoutes({ db, objects, enqueue, describeTask: async (id, task) => toTask(await getTask(db, id, task)) })(app);
    await app.register(datasetRoutes({ db }));
    await app.register(rowRoutes({ ...streams, max_bytes: MAX_BYTES, photos: forms.rowPhotos, wait_ms: PATIENCE_MS }));
    more({ db })(app);
  });
  gateway.grant(workspace_id);
  /** Rows of a dataset in their order, as a query would read them. */
  const content = async (name: string, select = '* EXCLUDE (_loaded_at)'): Promise<Record<string, unknown>[]> => {
    const dataset = await snapshot(db, { workspace_id, name });
    const local = await openSegments(objects, dataset.segments);
    const instance = await DuckDBInstance.create(':memory:');
    try {
      const connection = await instance.connect();
      const { sql: query } = relation(dataset, local.pathOf, { system: true });
      return (await connection.runAndReadAll(`SELECT ${select} FROM (${query})`)).getRowObjectsJson();
    } finally {
      instance.closeSync();
      await local.release();
    }
  };
  return {
    ...{ ...gateway, database, db, workspace_id, objects, drainDeps, content, root, temp_dir, enqueue, work, ended },
    /** Drains as one worker has them. */
    startDrains(deps: Partial<DrainDeps> = {}) {
      const locks = createNamedLocks(url, newId(), log);
      const drains = startDrains({ ...drainDeps, ...deps, listener, locks, log, lanes: 2 });
      let stopping: Promise<void> | undefined;
      const stop = (): Promise<void> => {
        stopping ??= drains.stop().then(() => locks.close());
        return stopping;
      };
      closing.push(stop);
      return { stop };
    },
  };
}
