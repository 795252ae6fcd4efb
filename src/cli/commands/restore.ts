import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { restore } from '#features/backup/restore.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { readMigrations } from '#platform/db/migrate.ts';
import { openDiskStore } from '#platform/objects/disk-store.ts';
import { postgresPartLedger } from '#platform/objects/part-ledger.ts';
import { migrateQueue, openQueue } from '#platform/queue/queue.ts';
import { type Command, EXIT, UsageError } from '../command.ts';
import { withDatabase } from '../offline.ts';
import { startProgress } from '../progress.ts';
import { count } from '../show.ts';

export const command: Command = {
  usage: 'restore DIRECTORY',
  description:
    'Into an empty data directory (and database). Everything is checked against its checksum before it counts.\n' +
    'At the next start the operator gets a new password and token in admin.json.',
  examples: [['CAUDAL_DATA_DIR=/var/lib/caudal2 caudal restore /backups/2026-05-04', 'then: caudal up']],
  options: { json: { type: 'boolean', doc: 'What was restored, as JSON' } },
  arguments: { min: 1, max: 1 },
  async run(context) {
    const from = resolve(context.args[0] ?? '');
    const config = context.config();
    const progress = startProgress(context.terminal, 'restore');
    const result = await withDatabase(context, async ({ database, url, log, running }) => {
      if (running)
        throw new UsageError(`Caudal is running on ${config.dataDir}.`, 'Restore into another, empty CAUDAL_DATA_DIR.');
      await migrateQueue(url);
      // Nothing is signed here, and the installation's own key comes with the catalogue.
      const objects = await openDiskStore({
        root: join(config.dataDir, 'objects'),
        signingKey: randomBytes(32),
        ledger: postgresPartLedger(database.db),
        diskFloor: config.diskFloor,
      });
      const queue = await openQueue({ url, log, supervise: false, works: false });
      try {
        return await restore(
          {
            pool: database.pool,
            objects,
            migrations: await readMigrations(join(context.root, 'migrations')),
            deliver: queue.send,
            signal: context.signal,
            onProgress: ({ phase, done, total, bytes }) =>
              progress.update(done, total, `${phase}, ${formatBytes(bytes)}`),
          },
          { from },
        );
      } finally {
        await queue.stop();
        await objects.close();
      }
    });
    progress.finish(
      `restored: ${count(result.rows)} catalogue rows, ${count(result.objects)} objects, ${formatBytes(result.bytes)}, made ${result.made_at}`,
    );
    if (context.flag('json')) context.terminal.json(result);
    return EXIT.ok;
  },
};
