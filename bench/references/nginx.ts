import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { tryPort } from '../../src/platform/process/ports.ts';

const PROGRAM = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx'].find((path) =>
  existsSync(path),
);

export interface Nginx {
  url: string;
  pid: number;
  /** Where a file lies that was PUT under this name. */
  stored(name: string): string;
  stop(): Promise<void>;
}

/** The system's nginx with `dav_methods PUT` into an own directory; undefined where there is none. */
export async function startNginx(): Promise<Nginx | undefined> {
  if (!PROGRAM) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'caudal-bench-nginx-'));
  chmodSync(directory, 0o777);
  for (const name of ['files', 'bodies']) {
    mkdirSync(join(directory, name));
    chmodSync(join(directory, name), 0o777);
  }
  const port = await tryPort(0, '127.0.0.1');
  const config = join(directory, 'nginx.conf');
  writeFileSync(config, configuration(directory, Number(port)));
  const child = spawn(PROGRAM, ['-c', config, '-p', directory, '-e', join(directory, 'error.log')], {
    stdio: 'inherit',
  });
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  const url = `http://127.0.0.1:${port}`;
  await reachable(url, () => child.exitCode === null);
  return {
    url,
    pid: child.pid ?? 0,
    stored: (name) => join(directory, 'files', name),
    async stop() {
      process.off('exit', kill);
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      if (child.exitCode === null) await gone;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function reachable(url: string, alive: () => boolean): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer) return;
    if (!alive()) throw new Error('nginx did not start');
    await delay(20);
  }
}

function configuration(directory: string, port: number): string {
  return `daemon off;
worker_processes auto;
pid ${directory}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path ${directory}/bodies;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
    listen 127.0.0.1:${port};
    root ${directory}/files;
    location / { dav_methods PUT DELETE; dav_access all:rw; }
  }
}
`;
}
