import type { Config } from '#config';
import { readAdminFile } from '#roles/supervisor/admin-file.ts';
import { type Client, createClient, Unreachable } from './client.ts';

/** CAUDAL_URL and CAUDAL_TOKEN, or what is missing of them from the local `admin.json`. */
export async function connect(config: Config, signal: AbortSignal): Promise<Client> {
  if (config.url && config.token) return createClient(config.url, config.token, signal);
  const admin = await readAdminFile(config.dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EACCES') return undefined;
    throw error;
  });
  // The local administrator's token is for the local gateway: it is never sent to another URL.
  const token = config.token || (!config.url || config.url === admin?.url ? admin?.token : undefined);
  const url = config.url || admin?.url;
  if (url && token) return createClient(url, token, signal);
  throw new Unreachable(
    url
      ? `There is no token for ${url}.`
      : `There is no Caudal in ${config.dataDir} (no admin.json that you may read).`,
    url
      ? 'Set CAUDAL_TOKEN to an API token (caudal tokens create NAME).'
      : 'Start one with `make run` or `./caudal up`, or set CAUDAL_URL and CAUDAL_TOKEN.',
  );
}
