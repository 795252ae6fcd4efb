import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { H264, lookAt, makeVideo, needsFfmpeg, picture, tone } from '../support/ffmpeg.ts';
import { startCaudal, until } from './caudal.ts';
import { createClient } from './client.ts';

const run = promisify(execFile);

/** Refused before anything is fetched, however a private place is written. */
const HOSTILE = [
  'http://127.0.0.1/v.mp4',
  'http://2130706433/v.mp4',
  'http://0x7f000001/v.mp4',
  'http://0177.0.0.1/v.mp4',
  'http://127.1/v.mp4',
  'http://[::1]/v.mp4',
  'http://[::ffff:127.0.0.1]/v.mp4',
  'http://[::ffff:7f00:1]/v.mp4',
  'http://169.254.169.254/latest/meta-data',
  'http://10.0.0.1/v.mp4',
  'http://[fd00::1]/v.mp4',
  'http://0.0.0.0/v.mp4',
  'file:///etc/passwd',
  'concat:/etc/passwd',
  'ftp://example.org/v.mp4',
  'http://user:secret@example.org/v.mp4',
  'not a url',
];

if (needsFfmpeg) test('E: video', { skip: needsFfmpeg }, () => undefined);
else await scenario();

async function scenario(): Promise<void> {
  // One address of the loopback network stands for a public host, all others stay forbidden.
  const caudal = await startCaudal({
    CAUDAL_FETCH_ALLOW_PRIVATE: '127.9.9.9/32',
    CAUDAL_VIDEO_PRESET: 'ultrafast',
    CAUDAL_VIDEO_MAX_BYTES: '20MB',
  });
  const long = await makeVideo(join(caudal.directory, 'long.mp4'), [
    ...picture(40),
    ...tone(40),
    ...H264,
    '-c:a',
    'aac',
  ]);
  const bytes = readFileSync(
    await makeVideo(join(caudal.directory, 'short.mp4'), [...picture(3), ...tone(3), ...H264, '-c:a', 'aac']),
  );
  const host = await serveVideos(bytes, readFileSync(long));
  const objects = () => filesBelow(join(caudal.dataDir, 'objects', 'files'));

  /** The command line as it is documented, with curl itself. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape; the assertions say which
  async function curl(...args: string[]): Promise<{ status: number; headers: string; body: any }> {
    const headers = join(caudal.directory, 'headers');
    const { stdout } = await run('curl', ['-sS', '-D', headers, '-w', '\n%{http_code}', ...args]);
    const [, text = '', status] = /^([\s\S]*)\n(\d+)$/.exec(stdout) ?? [];
    return {
      status: Number(status),
      headers: readFileSync(headers, 'utf8'),
      body: text && /^[[{]/.test(text) ? JSON.parse(text) : text,
    };
  }
  const json = ['-H', 'Content-Type: application/json'];

  describe('E: video processing', () => {
    let bearer: string[] = [];

    test('the documented calls, from sign-up to cancel', async () => {
      const account = { username: 'admin', email: 'admin@gmail.com', password: 'Secret123', password_2: 'Secret123' };
      const signup = await curl('-X', 'POST', `${caudal.url}/auth/signup`, ...json, '-d', JSON.stringify(account));
      assert.equal(signup.status, 201, JSON.stringify(signup.body));
      const { email, password } = account;
      const login = await curl(
        '-X',
        'POST',
        `${caudal.url}/auth/login`,
        ...json,
        '-d',
        JSON.stringify({ email, password }),
      );
      assert.equal(login.status, 200);
      bearer = ['-H', `Authorization: Bearer ${login.body.token}`];

      const empty = await curl(`${caudal.url}/tasks?max=4&order=1`, ...json, ...bearer);
      assert.deepEqual([empty.status, empty.body], [200, []]);

      const posted = await curl(
        '-X',
        'POST',
        `${caudal.url}/tasks`,
        ...json,
        ...bearer,
        '-d',
        JSON.stringify({ url: `${host}/short.mp4` }),
      );
      assert.equal(posted.status, 202, JSON.stringify(posted.body));
      assert.equal(posted.body.id, posted.body.task_id);
      assert.match(posted.headers, new RegExp(`location: /tasks/${posted.body.id}`, 'i'));

      const second = await curl(
        '-X',
        'POST',
        `${caudal.url}/tasks`,
        ...json,
        ...bearer,
        '-d',
        JSON.stringify({ url: `${host}/endless` }),
      );
      const cancelled = await curl('-X', 'DELETE', `${caudal.url}/tasks//${second.body.id}`, ...json, ...bearer);
      assert.equal(cancelled.status, 200, JSON.stringify(cancelled.body));
      const again = await until('the end of the cancelled task', async () => {
        const { body } = await curl(`${caudal.url}/tasks/${second.body.id}`, ...bearer);
        return body.status === 'cancelled' ? body : undefined;
      });
      assert.equal(again.output, null);
      assert.equal(
        (await curl('-X', 'DELETE', `${caudal.url}/tasks/${second.body.id}`, ...json, ...bearer)).status,
        409,
      );

      const done = await until('the clips', async () => {
        const { body } = await curl(`${caudal.url}/tasks/${posted.body.id}`, ...bearer);
        return body.finished_at ? body : undefined;
      });
      assert.equal(done.status, 'succeeded', JSON.stringify(done.error));
      assert.equal(done.progress, 100);
      assert.deepEqual(
        done.output.lineage.map(({ step }: { step: string }) => step),
        ['download', 'probe', 'transcode', 'poster', 'store'],
      );
      const [clip] = done.output.clips;
      assert.deepEqual([clip.duration, clip.width, clip.height], [5, 1280, 720]);
      const path = join(caudal.directory, 'clip.mp4');
      assert.equal((await curl('-L', `${caudal.url}${clip.url}`, ...bearer, '-o', path)).status, 200);
      const seen = lookAt(path);
      assert.deepEqual(
        [seen.video.codec, seen.audio?.codec, seen.video.width, seen.video.height, seen.video.frames, seen.fastStart],
        ['h264', 'aac', 1280, 720, 150, true],
      );
      const part = await curl('-L', '-r', '0-99', `${caudal.url}${clip.url}`, ...bearer, '-o', '/dev/null');
      assert.equal(part.status, 206);
      assert.match(part.headers, /content-type: video\/mp4/i);
      assert.match(part.headers, /content-disposition: inline/i);

      const newest = await curl(`${caudal.url}/tasks?max=4&order=1`, ...bearer);
      const oldest = await curl(`${caudal.url}/tasks?max=1&order=0`, ...bearer);
      assert.deepEqual(
        newest.body.map(({ id }: { id: string }) => id),
        [second.body.id, posted.body.id],
      );
      assert.deepEqual(
        oldest.body.map(({ id }: { id: string }) => id),
        [posted.body.id],
      );
      // Clip, poster, and the original; of the cancelled one nothing. A preview needs more than four seconds.
      assert.equal(objects().length, done.output.sprite_url ? 4 : 3);
    });

    test('others see nothing of it', async () => {
      const other = createClient(caudal.url, caudal.admin.token);
      const [task] = (await curl(`${caudal.url}/tasks?max=1`, ...bearer)).body;
      for (const [method, path] of [
        ['GET', ''],
        ['DELETE', ''],
        ['POST', '/retry'],
        ['GET', '/events'],
      ] as const) {
        assert.equal((await other.call(method, `/tasks/${task.id}${path}`)).status, 404, `${method} ${path}`);
      }
      assert.equal((await other.call('GET', '/tasks?max=4')).body.length, 0);
    });

    test('progress comes by server-sent events while it runs; a cancel leaves nothing behind', async () => {
      const client = createClient(caudal.url, bearer[1]?.replace('Authorization: Bearer ', '') ?? '');
      const before = objects().length;
      const { body: task } = await client.call('POST', '/tasks', {
        body: { url: `${host}/long.mp4`, options: { crf: 30 } },
      });
      const abort = new AbortController();
      const events = await fetch(`${caudal.url}/tasks/${task.id}/events`, {
        headers: { authorization: `Bearer ${client.token}` },
        signal: abort.signal,
      });
      const seen: number[] = [];
      const decoder = new TextDecoder();
      for await (const chunk of events.body ?? []) {
        for (const [, data] of decoder.decode(chunk, { stream: true }).matchAll(/^data: (.*)$/gm)) {
          const { progress, detail } = JSON.parse(data ?? '{}');
          if (detail?.step === 'transcode') seen.push(progress);
        }
        if (seen.length >= 4) break;
      }
      abort.abort();
      assert.deepEqual(
        seen,
        [...seen].sort((a, b) => a - b),
      );
      assert.equal((await client.call('DELETE', `/tasks/${task.id}`)).status, 200);
      assert.equal((await client.task(task.id)).status, 'cancelled');
      assert.equal(objects().length, before);
      await until('an empty temporary directory', () => (left(caudal.dataDir).length === 0 ? true : undefined));
      assert.deepEqual(engines(caudal.processes()), []);
    });

    test('private places are refused, however they are written and wherever they lead', async () => {
      const client = createClient(caudal.url, bearer[1]?.replace('Authorization: Bearer ', '') ?? '');
      for (const url of HOSTILE) {
        const { status, body } = await client.call('POST', '/tasks', { body: { url } });
        assert.deepEqual([status, body.code], [422, 'url_refused'], `${url}: ${JSON.stringify(body)}`);
      }
      const failing: [path: string, code: string][] = [
        ['/to?url=http://127.0.0.1/v.mp4', 'url_refused'],
        ['/to?url=http://169.254.169.254/', 'url_refused'],
        ['/to?url=file:///etc/passwd', 'url_refused'],
        ['/liar', 'download_failed'],
        ['/halfway', 'download_failed'],
        ['/huge', 'video_too_large'],
        ['/playlist.mp4', 'playlist_refused'],
        ['/nothing', 'download_failed'],
      ];
      for (const [path, code] of failing) {
        const { body } = await client.call('POST', '/tasks', { body: { url: host + path } });
        const task = await client.task(body.id);
        assert.deepEqual([task.status, task.error?.code], ['failed', code], `${path}: ${JSON.stringify(task.error)}`);
      }
      const named = await client.call('POST', '/tasks', { body: { url: 'http://localhost/v.mp4' } });
      assert.equal((await client.task(named.body.id)).error?.code, 'url_refused');
    });

    test('what is asked for wrongly is answered with its field', async () => {
      const client = createClient(caudal.url, bearer[1]?.replace('Authorization: Bearer ', '') ?? '');
      const cases: [body: unknown, field: string][] = [
        [{}, 'url'],
        [{ url: 'https://example.org/v.mp4', file_id: 'x' }, 'url'],
        [{ url: 'https://example.org/v.mp4', options: { height: 'tall' } }, 'options.height'],
        [{ url: 'https://example.org/v.mp4', options: { heigth: 720 } }, 'options.heigth'],
        [{ url: 'https://example.org/v.mp4', options: { aspect: '100:1' } }, 'options.aspect'],
        [{ url: 'https://example.org/v.csv', kind: 'load', options: { crf: 1 } }, 'options.crf'],
        [{ url: 'https://example.org/v.csv', kind: 'magic' }, 'kind'],
      ];
      for (const [body, field] of cases) {
        const answer = await client.call('POST', '/tasks', { body });
        assert.equal(answer.status, 422, JSON.stringify(answer.body));
        assert.equal(answer.body.errors[0].field, field, JSON.stringify(answer.body));
      }
      const unknown = await client.call('POST', '/tasks', {
        body: { file_id: '0197f5a0-0000-7000-8000-000000000000' },
      });
      assert.deepEqual([unknown.status, unknown.body.code], [404, 'file_not_found']);
    });

    test('a load through the same door', async () => {
      const client = createClient(caudal.url, bearer[1]?.replace('Authorization: Bearer ', '') ?? '');
      const { status, body } = await client.call('POST', '/tasks', {
        body: { url: `${host}/people.csv`, kind: 'load', options: { dataset: 'people', delimiter: ';' } },
      });
      assert.equal(status, 202, JSON.stringify(body));
      assert.equal((await client.task(body.id)).status, 'succeeded');
      assert.deepEqual(await client.sql('SELECT name FROM people'), [{ name: 'Ana' }]);
    });

    test('the command line submits, follows and saves', async () => {
      const sent = await caudal.command(
        ['video', 'submit', join(caudal.directory, 'short.mp4'), '--no-logo', '--json'],
        { expect: 0 },
      );
      const task = JSON.parse(sent.stdout);
      assert.equal(task.status, 'succeeded');
      const target = join(caudal.directory, 'saved');
      await caudal.command(['video', 'get', task.id, '--to', target], { expect: 0 });
      assert.deepEqual(readdirSync(target).sort(), ['short-clip.mp4', 'short-poster.jpg']);
      assert.equal(lookAt(join(target, 'short-clip.mp4')).video.frames, 90);
    });
  });
}

/** A server of somebody's; it listens on an address of its own so that it alone can be allowed. */
async function serveVideos(short: Buffer, long: Buffer): Promise<string> {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    const answers: Record<string, () => void> = {
      '/short.mp4': () => response.writeHead(200, { 'content-type': 'video/mp4' }).end(short),
      '/long.mp4': () => response.writeHead(200, { 'content-length': long.length }).end(long),
      '/people.csv': () => response.writeHead(200).end('name;age\nAna;30\n'),
      '/playlist.mp4': () => response.writeHead(200).end('#EXTM3U\nhttp://127.0.0.1/secret.ts\n'),
      '/to': () => response.writeHead(302, { location: url.searchParams.get('url') ?? '' }).end(),
      '/liar': () =>
        response.writeHead(200, { 'content-length': short.length + 1000 }).write(short, () => response.destroy()),
      '/halfway': () =>
        response
          .writeHead(200, { 'content-length': short.length })
          .write(short.subarray(0, 1000), () => response.destroy()),
      '/huge': () => response.writeHead(200, { 'content-length': 1e10 }).write('x'),
      '/endless': () => {
        response.writeHead(200).write(short);
      },
    };
    const answer = answers[url.pathname];
    if (answer) answer();
    else response.writeHead(404).end();
  });
  server.listen(0, '127.9.9.9');
  await new Promise((resolve) => server.once('listening', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.9.9.9:${(server.address() as AddressInfo).port}`;
}

function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Directories of attempts that are still there. */
function left(dataDir: string): string[] {
  const entries = readdirSync(join(dataDir, 'tmp'), { recursive: true }) as string[];
  return entries.filter((name) => /(^|\/)video-[^/]+$/.test(name));
}

function engines(pids: readonly number[]): string[] {
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return command.includes('ffmpeg') ? [command] : [];
    } catch {
      return [];
    }
  });
}
