import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '#config';
import { readAdminFile } from '#roles/supervisor/admin-file.ts';
import { lockHolder } from '#roles/supervisor/lock.ts';
import { createClient } from '../client.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { demonstrate } from '../demo/demonstrate.ts';
import { start } from './up.ts';

export const command: Command = {
  usage: 'demo',
  description:
    'Generates a CSV of 31 MB, uploads and loads it, prints the account, rows, an answer in SQL and the trace.\n' +
    'On the running Caudal; where none runs, on a temporary one that is removed afterwards.',
  examples: [['caudal demo', 'exit code 0 when all of it went as it must']],
  options: {},
  async run(context) {
    const { url, token, dataDir } = context.config();
    const running = (url && token) || (await lockHolder(dataDir)) !== undefined;
    if (running) await demonstrate(context);
    else await onTemporary(context);
    return EXIT.ok;
  },
};

async function onTemporary(context: Context): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'caudal-'));
  const env = {
    ...context.env,
    CAUDAL_DATA_DIR: directory,
    CAUDAL_PORT: '0',
    CAUDAL_URL: '',
    CAUDAL_TOKEN: '',
    DATABASE_URL: '',
  };
  const config = readConfig(env);
  context.terminal.note(`no Caudal runs on ${context.config().dataDir}: starting a temporary one`);
  try {
    const installation = await start({ ...context, env, config: () => config });
    try {
      const admin = await readAdminFile(directory);
      if (!admin) throw new Error('The temporary Caudal has no admin.json.');
      const client = createClient(admin.url, admin.token, context.signal);
      await demonstrate({ ...context, env, config: () => config, client: () => Promise.resolve(client) });
    } finally {
      await installation.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
