import { join } from 'node:path';
import { migrate, readMigrations } from '#platform/db/migrate.ts';
import { migrateQueue } from '#platform/queue/queue.ts';
import { type Command, EXIT } from '../command.ts';
import { withDatabase } from '../offline.ts';

export const command: Command = {
  usage: 'migrate',
  description:
    '`caudal up` does it by itself; this is for databases behind DATABASE_URL, before a new version is rolled out.\n' +
    'Refuses a database that a newer, incompatible Caudal has migrated.',
  examples: [['DATABASE_URL=postgres://… caudal migrate', 'before a deployment']],
  options: {},
  async run(context) {
    const migrations = await readMigrations(join(context.root, 'migrations'));
    const applied = await withDatabase(context, async ({ database, url }) => {
      const numbers = await migrate(database.pool, migrations);
      await migrateQueue(url);
      return numbers;
    });
    const names = migrations
      .filter(({ number }) => applied.includes(number))
      .map(({ number, name }) => `${number}-${name}`);
    context.terminal.line(applied.length === 0 ? 'nothing to do' : `applied: ${names.join(', ')}`);
    return EXIT.ok;
  },
};
