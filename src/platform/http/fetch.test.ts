import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import { addressPolicy } from './address-policy.ts';
import { createFetcher, type FetcherOptions, type FetchOptions } from './fetch.ts';

const directory = await mkdtemp(join(tmpdir(), 'caudal-fetch-'));
after(() => rm(directory, { recursive: true, force: true }));

let reached = 0;
const server = http.createServer((request, response) => {
  reached += 1;
  const url = new URL(request.url ?? '/', 'http://x');
  const answers: Record<string, () => void> = {
    '/data/año.csv': () => response.writeHead(200, { 'content-type': 'text/csv' }).end('a,b\n1,2\n'),
    '/named': () =>
      response
        .writeHead(200, {
          'content-disposition': `attachment; filename="x"; filename*=UTF-8''..%2F..%2Fsu%20a%C3%B1o.csv`,
        })
        .end('x'),
    '/to': () => response.writeHead(302, { location: url.searchParams.get('url') ?? '' }).end('moved'),
    '/loop': () => response.writeHead(301, { location: '/loop' }).end(),
    '/chain': () => {
      const left = Number(url.searchParams.get('left'));
      response.writeHead(307, { location: left > 1 ? `/chain?left=${left - 1}` : '/data/a%C3%B1o.csv' }).end();
    },
    '/large': () => response.writeHead(200, { 'content-length': 1e9 }).write('x'),
    '/endless': () => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    },
    '/cut': () => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half', () => response.destroy());
    },
    '/breaking': () => {
      const whole = 'abcdefghij';
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const same = request.headers['if-range'] === undefined || request.headers['if-range'] === '"v1"';
      const changed = from > 0 && url.searchParams.has('changed');
      const range = from > 0 && same && !changed ? { 'content-range': `bytes ${from}-9/10` } : {};
      const rest = from > 0 && !changed ? whole.slice(from) : whole;
      response.writeHead(from > 0 && !changed ? 206 : 200, { etag: '"v1"', 'content-length': rest.length, ...range });
      if (rest.length <= 4) response.end(rest);
      else response.write(rest.slice(0, 4), () => response.socket?.end());
    },
    '/silent': () => undefined,
    '/stalled': () => response.writeHead(200).write('x'),
    '/empty': () => response.writeHead(200).end(),
  };
  const answer = answers[decodeURIComponent(url.pathname)];
  if (answer) answer();
  else response.writeHead(404).end();
});
server.listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
after(() => {
  server.closeAllConnections();
  server.close();
});
const { port } = server.address() as AddressInfo;
const local = `http://127.0.0.1:${port}`;

const limits = { max_bytes: 1_000_000, timeout_ms: 20_000, idle_ms: 10_000 };
let files = 0;
async function attempt(url: string, options: FetcherOptions = {}, request: Partial<FetchOptions> = {}) {
  files += 1;
  const path = join(directory, String(files));
  const fetched = await createFetcher(options)(url, path, { limits, ...request });
  return { ...fetched, text: await readFile(path, 'utf8') };
}
const loopback: FetcherOptions = { allowPrivate: ['127.0.0.0/8'] };
const failing =
  (code: string, words = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof CaudalError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  };

test('a file is fetched with its name, type and progress', async () => {
  const progress: (number | undefined)[][] = [];
  const onProgress = (bytes: number, total: number | undefined) => progress.push([bytes, total]);
  const fetched = await attempt(`${local}/data/a%C3%B1o.csv?x=1`, loopback, { onProgress });
  assert.equal(fetched.text, 'a,b\n1,2\n');
  assert.equal(fetched.bytes, 8);
  assert.equal(fetched.content_type, 'text/csv');
  assert.equal(fetched.filename, 'año.csv');
  assert.equal(fetched.final_url, `${local}/data/a%C3%B1o.csv?x=1`);
  assert.deepEqual(progress, [[8, undefined]]);
  assert.equal((await attempt(`${local}/named`, loopback)).filename, 'su año.csv');
  assert.equal((await attempt(`${local}/empty`, loopback)).bytes, 0);
});

test('three redirects are followed, a fourth is not, nor a circle', async () => {
  assert.equal((await attempt(`${local}/chain?left=3`, loopback)).text, 'a,b\n1,2\n');
  await assert.rejects(attempt(`${local}/chain?left=4`, loopback), failing('download_failed', /redirects/));
  await assert.rejects(attempt(`${local}/loop`, loopback), failing('download_failed', /redirects/));
});

const PRIVATE = [
  'http://127.0.0.1/',
  'http://localhost/',
  'http://LOCALHOST:443/',
  'http://2130706433/',
  'http://0177.0.0.1/',
  'http://017700000001/',
  'http://0x7f000001/',
  'http://0x7f.1/',
  'http://127.1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://0/',
  'http://0.0.0.0/',
  'http://[::]/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::127.0.0.1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[64:ff9b:1::a00:1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001:0:7f00:1::]/',
  'http://[fe80::1]/',
  'http://[fc00::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
  'http://[4000::1]/',
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://100.64.0.1/',
  'http://192.0.0.1/',
  'http://198.18.0.1/',
  'http://224.0.0.1/',
  'http://255.255.255.255/',
];

test('no private address is reached, however it is written', async () => {
  const before = reached;
  for (const url of [...PRIVATE, `${local}/data/año.csv`, `http://2130706433:${port}/`, `http://localhost:${port}/`]) {
    await assert.rejects(attempt(url), failing('url_refused'), url);
  }
  assert.equal(reached, before);
});

test('other schemes, credentials, other ports and nonsense are refused', async () => {
  const refusedUrls = [
    'file:///etc/passwd',
    'ftp://example.org/x',
    'gopher://example.org/x',
    'data:text/csv,a',
    'javascript:1',
    'http://user:secret@example.org/',
    'http://user@example.org/',
    'http://93.184.216.34:22/',
    'http://93.184.216.34:8080/',
    'https://93.184.216.34:6379/',
    'nonsense',
    '//example.org/x',
    'http://',
    'http://[::1',
    '',
  ];
  for (const url of refusedUrls) {
    await assert.rejects(attempt(url), (error) => failing('url_refused')(error) && !/secret/.test(String(error)), url);
  }
});

test('a name is judged by every address that it stands for', async () => {
  const before = reached;
  const answers: { address: string; family: number }[][] = [
    [{ address: '127.0.0.1', family: 4 }],
    [{ address: '10.1.2.3', family: 4 }],
    [{ address: '::1', family: 6 }],
    [{ address: '::ffff:127.0.0.1', family: 6 }],
    [
      { address: '93.184.216.34', family: 4 },
      { address: '169.254.169.254', family: 4 },
    ],
  ];
  for (const addresses of answers) {
    const options = { resolve: async () => addresses };
    await assert.rejects(attempt('http://rebind.example/', options), failing('url_refused'), JSON.stringify(addresses));
  }
  assert.equal(reached, before);
});

test('a name is looked up once for a connection: a second answer cannot slip in', async () => {
  let asked = 0;
  const resolve = async () => {
    asked += 1;
    return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
  };
  await attempt(`http://twice.example:${port}/empty`, { allowPrivate: ['127.0.0.1/32'], resolve });
  assert.equal(asked, 1);
});

test('every redirect is judged again', async () => {
  const to = (url: string) => `${local}/to?url=${encodeURIComponent(url)}`;
  const options = { allowPrivate: ['127.0.0.1/32'], resolve: async () => [{ address: '10.0.0.9', family: 4 }] };
  for (const url of [
    'http://127.0.0.2/',
    'http://169.254.169.254/',
    'http://[::1]/',
    'file:///etc/passwd',
    'http://a:b@127.0.0.1/',
  ]) {
    await assert.rejects(attempt(to(url), options), failing('url_refused'), url);
  }
  await assert.rejects(attempt(to('http://inside.example/'), options), failing('url_refused'));
  await assert.rejects(attempt(to('http://93.184.216.34:22/'), options), failing('url_refused'));
});

test('an operator’s network is allowed on any port, and only that one', () => {
  const policy = addressPolicy(['10.1.0.0/16', 'fd00::/8']);
  assert.equal(policy('10.1.2.3', 8080), true);
  assert.equal(policy('10.2.0.1', 80), false);
  assert.equal(policy('fd12::1', 5432), true);
  assert.equal(policy('::ffff:10.1.2.3', 80), true);
  assert.equal(policy('8.8.8.8', 443), true);
  assert.equal(policy('8.8.8.8', 8080), false);
  assert.equal(policy('2606:4700::1111', 443), true);
  assert.equal(policy('fe80::1%eth0', 80), false);
  assert.equal(policy('nonsense', 80), false);
});

test('sizes and times have limits, said in words; nothing is left behind', async () => {
  const small = { limits: { ...limits, idle_ms: 200 } };
  await assert.rejects(attempt(`${local}/large`, loopback), failing('download_failed', /larger than 1.00 MB/));
  await assert.rejects(attempt(`${local}/endless`, loopback), failing('download_failed', /larger than 1.00 MB/));
  await assert.rejects(attempt(`${local}/cut`, loopback), failing('download_failed', /not as long as|broke/));
  await assert.rejects(attempt(`${local}/nothing`, loopback), failing('download_failed', /answered 404/));
  await assert.rejects(attempt('http://127.0.0.1:1/', loopback), failing('download_failed', /refused/));
  await assert.rejects(attempt(`${local}/silent`, loopback, small), failing('download_failed', /in time/));
  await assert.rejects(attempt(`${local}/stalled`, loopback, small), failing('download_failed', /stopped sending/));
  const overdue = { limits: { ...limits, timeout_ms: 200 } };
  await assert.rejects(attempt(`${local}/stalled`, loopback, overdue), failing('download_failed', /took longer/));
  const nowhere = { resolve: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })) };
  await assert.rejects(attempt('http://nowhere.example/', nowhere), failing('download_failed', /could not be found/));
  const left = await readdir(directory);
  for (const name of left) assert.ok((await readFile(join(directory, name))).length < 100, name);
});

test('a download that breaks off goes on where it was; not with a file that has changed meanwhile', async () => {
  const before = reached;
  const { text, bytes } = await attempt(`${local}/breaking`, loopback);
  assert.deepEqual([text, bytes, reached - before], ['abcdefghij', 10, 3]);
  await assert.rejects(attempt(`${local}/breaking?changed`, loopback), failing('download_failed', /broke|not as long/));
});

test('a caller who gives up gets their own reason', async () => {
  const giving = new AbortController();
  const attempted = attempt(`${local}/stalled`, loopback, {
    signal: giving.signal,
    onProgress: () => giving.abort(new Error('cancelled by the user')),
  });
  await assert.rejects(attempted, /cancelled by the user/);
});
