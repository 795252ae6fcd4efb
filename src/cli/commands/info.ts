import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '#kernel/bytes.ts';
import { adminFilePath, readAdminFile } from '#roles/supervisor/admin-file.ts';
import { lockHolder } from '#roles/supervisor/lock.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { showFacts } from '../show.ts';

export const command: Command = {
  usage: 'info [--json]',
  examples: [
    ['caudal info', 'for people'],
    ['caudal info --json | jq -r .url', 'one of them, for a script'],
  ],
  options: { json: { type: 'boolean', doc: 'As JSON' } },
  async run(context) {
    const facts = await collect(context);
    if (context.flag('json')) context.terminal.json(facts);
    else
      showFacts(
        context.terminal,
        Object.entries(facts).map(([name, value]) => [name.replaceAll('_', ' '), shown(name, value)]),
      );
    return EXIT.ok;
  },
};

type Facts = Record<string, string | number | boolean | null>;

async function collect(context: Context): Promise<Facts> {
  const config = context.config();
  const admin = await readAdminFile(config.dataDir).catch(() => undefined);
  const holder = await lockHolder(config.dataDir);
  const url = config.url || admin?.url || config.publicUrl || `http://${config.host}:${config.port}`;
  const disk = await statfs(config.dataDir).catch(() => undefined);
  return {
    version: context.version,
    node: process.version,
    environment: config.environment,
    running: holder !== undefined,
    pid: holder?.pid ?? null,
    url,
    console: `${url}/`,
    docs: `${url}/docs`,
    openapi: `${url}/openapi.json`,
    operator: admin?.email ?? null,
    admin_file: admin ? adminFilePath(config.dataDir) : null,
    data_dir: config.dataDir,
    logs: join(config.dataDir, 'logs'),
    objects: config.objects === 'disk' ? join(config.dataDir, 'objects') : config.objects,
    database: config.databaseUrl ? new URL(config.databaseUrl).host : 'embedded',
    free_bytes: disk ? disk.bavail * disk.bsize : null,
    checkout: context.root,
  };
}

function shown(name: string, value: Facts[string]): string | number | null {
  if (name === 'free_bytes' && typeof value === 'number') return formatBytes(value);
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : value;
}
