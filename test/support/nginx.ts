import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { nginxConf } from '../../scripts/docs/nginx.ts';
import { tryPort } from '../../src/platform/process/ports.ts';
import { eventually } from './eventually.ts';

/** The machine's nginx; undefined where there is none. */
export const NGINX = ['nginx', '/usr/sbin/nginx'].find((program) => spawnSync(program, ['-v']).status === 0);

export interface Nginx {
  url: string;
  accessLog: string;
  errorLog: string;
  /** Has the logs opened anew, as logrotate does after it has renamed them. */
  reopen(): void;
}

/** `deploy/nginx/caudal.conf` on a free port before one gateway; ends with the test file. */
export async function startNginx(directory: string, gateway: string): Promise<Nginx> {
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o711);
  const port = await tryPort(0, '127.0.0.1');
  const conf = join(directory, 'caudal.conf');
  const one = nginxConf()
    .replace('listen 5050;', `listen 127.0.0.1:${port};`)
    .replace('127.0.0.1:5051', new URL(gateway).host)
    .replace(/ +server 127\.0\.0\.1:505[23].*\n/g, '');
  writeFileSync(conf, one);
  const child: ChildProcess = spawn(NGINX ?? '', ['-p', directory, '-c', conf], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    const answer = await fetch(`${url}/livez`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.ok || undefined;
  });
  return {
    url,
    accessLog: join(directory, 'caudal-access.log'),
    errorLog: join(directory, 'caudal-error.log'),
    reopen: () => child.kill('SIGUSR1'),
  };
}
