import { resolve } from 'node:path';
import { type BackupDeps, backup } from '#features/backup/backup.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { systemClock } from '#kernel/clock.ts';
import { openObjects } from '#roles/objects.ts';
import { type Command, EXIT } from '../command.ts';
import { withDatabase } from '../offline.ts';
import { startProgress } from '../progress.ts';
import { count } from '../show.ts';

export const command: Command = {
  usage: 'backup DIRECTORY',
  description:
    'The catalogue and every object it lists, consistent by version, with checksums. Caudal may be running meanwhile.',
  examples: [['caudal backup /backups/2026-05-04', 'into a directory that is empty or not there yet']],
  options: { json: { type: 'boolean', doc: 'What was written, as JSON' } },
  arguments: { min: 1, max: 1 },
  async run(context) {
    const to = resolve(context.args[0] ?? '');
    const progress = startProgress(context.terminal, 'backup');
    const result = await withDatabase(context, async ({ database }) => {
      const objects = await openObjects(context.config(), context.config().dataDir, database);
      const deps: BackupDeps = {
        pool: database.pool,
        objects,
        clock: systemClock,
        version: context.version,
        signal: context.signal,
        onProgress: ({ phase, done, total, bytes }) => progress.update(done, total, `${phase}, ${formatBytes(bytes)}`),
      };
      return backup(deps, { to }).finally(() => objects.close());
    });
    progress.finish(
      `backup: ${count(result.rows)} catalogue rows, ${count(result.objects)} objects, ${formatBytes(result.bytes)}`,
    );
    if (context.flag('json')) context.terminal.json(result);
    for (const key of result.missing)
      context.terminal.note(`${context.terminal.paint('red', 'missing in the store:')} ${key}`);
    return result.missing.length > 0 ? EXIT.failed : EXIT.ok;
  },
};
