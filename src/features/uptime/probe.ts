import { connect } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
import type { UptimeCheck, UptimeResult } from '#contract/uptime.ts';
import { CaudalError } from '#kernel/errors.ts';
import { type AddressPolicy, literalAddress } from '#platform/http/address-policy.ts';
import { guardedConnector, type Resolve, refused } from '#platform/http/guarded-connector.ts';

export type Probed = Omit<UptimeResult, 'at'>;
export type ProbeTarget = Pick<UptimeCheck, 'kind' | 'target' | 'timeout_ms' | 'expect'>;

export interface ProbeDeps {
  policy: AddressPolicy;
  resolve: Resolve;
  /** Milliseconds that never run backwards. */
  monotonic(): number;
  now(): Date;
}

const BODY_BYTES = 64 * 1024;
const DAY_MS = 86_400_000;

/** Asks once, as an outsider would. Never throws: what goes wrong is the result. */
export async function probe(target: ProbeTarget, deps: ProbeDeps): Promise<Probed> {
  const begun = deps.monotonic();
  const seen: { status: number | null; certificate_days: number | null } = { status: null, certificate_days: null };
  let error: string | null = null;
  try {
    if (target.kind === 'tcp') await tcp(target, deps);
    else error = await http(target, deps, seen);
  } catch (caught) {
    error = words(caught, target.timeout_ms);
  }
  return { up: error === null, latency_ms: Math.round((deps.monotonic() - begun) * 10) / 10, ...seen, error };
}

/** @returns what was wrong with the answer, or null */
async function http(
  { target, timeout_ms, expect }: ProbeTarget,
  deps: ProbeDeps,
  seen: { status: number | null; certificate_days: number | null },
): Promise<string | null> {
  const url = new URL(target);
  const guarded = await guardedConnector(deps.policy, deps.resolve, timeout_ms);
  const noting: buildConnector.connector = (options, callback) =>
    guarded(options, (...[failure, socket]) => {
      if (failure) return callback(failure, null);
      if (socket instanceof TLSSocket) seen.certificate_days = daysLeft(socket, deps.now());
      return callback(null, socket);
    });
  const { Agent } = await import('undici');
  const agent = new Agent({ connect: noting, connections: 1, pipelining: 0 });
  try {
    const response = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { 'user-agent': 'Caudal uptime check', accept: '*/*', 'accept-encoding': 'identity' },
      headersTimeout: timeout_ms,
      bodyTimeout: timeout_ms,
      signal: AbortSignal.timeout(timeout_ms),
    });
    seen.status = response.statusCode;
    const body = expect.body === undefined ? '' : await beginning(response.body);
    response.body.on('error', () => undefined).destroy();
    return judge(response.statusCode, body, expect);
  } finally {
    await agent.destroy();
  }
}

function judge(status: number, body: string, expect: ProbeTarget['expect']): string | null {
  const wanted = expect.status ?? [];
  const fits = wanted.length > 0 ? wanted.includes(status) : status >= 200 && status < 300;
  if (!fits) return `It answered ${status}, not ${wanted.length > 0 ? wanted.join(' or ') : '2xx'}.`;
  return expect.body === undefined || body.includes(expect.body) ? null : 'Its answer lacks the expected text.';
}

async function beginning(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, BODY_BYTES).toString('utf8');
}

function daysLeft(socket: TLSSocket, now: Date): number | null {
  const until = Date.parse(socket.getPeerCertificate().valid_to ?? '');
  return Number.isNaN(until) ? null : Math.round(((until - now.getTime()) / DAY_MS) * 10) / 10;
}

/** Connects and closes. The name is resolved once and that very address is dialled. */
async function tcp({ target, timeout_ms }: ProbeTarget, { policy, resolve }: ProbeDeps): Promise<void> {
  const { host, port } = hostAndPort(target);
  const addresses = literalAddress(host) === undefined ? await resolve(host) : [{ address: host, family: 0 }];
  const [first] = addresses;
  if (!first) throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
  if (!addresses.every(({ address }) => policy(address, port))) throw refused(host);
  await new Promise<void>((done, fail) => {
    const socket = connect({ host: first.address, port, timeout: timeout_ms });
    const end = (result: () => void) => () => {
      socket.destroy();
      result();
    };
    socket.once('connect', end(done));
    socket.once(
      'timeout',
      end(() => fail(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }))),
    );
    socket.once('error', (error) => end(() => fail(error))());
  });
}

/** `host:port`, `[v6]:port`. */
export function hostAndPort(target: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:/@]+)):(\d{1,5})$/i.exec(target);
  return { host: match?.[1] ?? match?.[2] ?? '', port: Number(match?.[3] ?? 0) };
}

const REASONS: Record<string, string> = {
  ENOTFOUND: 'The host could not be found.',
  EAI_AGAIN: 'The host could not be looked up.',
  ECONNREFUSED: 'The connection was refused.',
  ECONNRESET: 'The connection broke.',
  EHOSTUNREACH: 'The host cannot be reached.',
  ENETUNREACH: 'The network cannot be reached.',
  CERT_HAS_EXPIRED: 'The certificate has expired.',
};

function words(error: unknown, timeout: number): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof CaudalError) return each.message;
    const code = (each as NodeJS.ErrnoException).code ?? '';
    if (REASONS[code]) return REASONS[code];
    if (each.name === 'TimeoutError' || /TIMEOUT|ETIMEDOUT/.test(code)) return `No answer within ${timeout / 1000} s.`;
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)) return `The certificate is not accepted (${code}).`;
  }
  return (error as Error).message.slice(0, 200);
}
