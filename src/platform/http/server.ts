import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import swagger from '@fastify/swagger';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fastify, { type FastifyRequest, LogController, type RouteOptions } from 'fastify';
import type { Principal } from '#contract/principal.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import { type Db, isUnavailable } from '#platform/db/db.ts';
import type { Logger } from '#platform/observe/log.ts';
import { type App, checkAccess } from './app.ts';
import { hearBodiesOut } from './hear-out.ts';
import { registerIdempotency } from './idempotency.ts';
import { type RateLimits, registerRateLimits } from './limits.ts';
import { openApiOptions } from './openapi.ts';
import { PROBLEM_JSON, toCaudalError, toProblem } from './problem.ts';

export interface ServerOptions {
  log: Logger;
  db: Db;
  limits: RateLimits;
  version: string;
  /** This process's id in `instances`. */
  instance?: string;
  /** Load balancers (CIDR) whose X-Forwarded-* headers are believed; from anybody else they are ignored. */
  trustedProxies?: readonly string[];
  /** Null for a caller without credentials; at once where the credential is known. @throws invalid_token */
  authenticate(request: FastifyRequest): Promise<Principal | null> | Principal | null;
  /** Starts the request's span; registered before everything else. */
  trace?: (app: App) => void | Promise<void>;
}

const JSON_BODY_LIMIT = 1 << 20;
/** A connection on which nothing moves for this long is closed; event streams send a comment every 15 s. */
const IDLE_MS = 120_000;
const KEEP_ALIVE_MS = 72_000;

/**
 * The gateway without its routes: tracing, authentication, access by declaration, rate limits,
 * validation, idempotency and problem+json, in that order.
 */
export async function createServer(options: ServerOptions): Promise<App> {
  const app = fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: JSON_BODY_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    return503OnClosing: false,
    trustProxy: options.trustedProxies && options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    routerOptions: { maxParamLength: 2048 },
    // A child per request costs 4 µs and adds an id; every line carries the trace anyway.
    childLoggerFactory: (logger) => logger,
    rewriteUrl: (request) => collapseSlashes(request.url ?? '/'),
    clientErrorHandler: answerBrokenRequest,
    // What the router refuses before there is a route: malformed escapes, segments beyond all bounds.
    frameworkErrors: (error, _request, reply) => sendProblem(toCaudalError(error), reply as unknown as Answer),
  }) as unknown as App;
  app.server.setTimeout(IDLE_MS);
  app.decorateRequest('principal', null);
  requireAccessDeclaration(app);
  if (options.trace) await options.trace(app);
  useValidators(app);
  useSerializers(app);
  acceptJson(app);
  secureHeaders(app);
  answerErrors(app);
  hearBodiesOut(app);
  await app.register(swagger, openApiOptions(options.version));
  admitCallers(app, options.authenticate);
  registerRateLimits(app, options.limits);
  registerIdempotency(app, options.db, options.instance ?? null);
  return app;
}

/** Without a promise where the caller is known: hooks that wait cost every request several turns of the queue. */
function admitCallers(app: App, authenticate: ServerOptions['authenticate']): void {
  const admit = (request: FastifyRequest, principal: Principal | null): void => {
    request.principal = principal;
    const { access } = request.routeOptions.config;
    if (access) checkAccess(access, principal, request.params as Record<string, string>);
  };
  // Whoever asks whether the process lives must hear it also while the database is away.
  const nobody = (request: FastifyRequest, error: unknown): null => {
    if (request.routeOptions.config.access === 'public' && isUnavailable(error)) return null;
    throw error;
  };
  app.addHook('onRequest', (request, _reply, done) => {
    // PostgreSQL keeps no NUL, so nothing that we have is called so.
    if (/%00/.test(pathOf(request.url))) throw nothingAt(request);
    const found = authenticate(request);
    if (found instanceof Promise) {
      const principal = found.catch((error: unknown) => nobody(request, error));
      principal.then((known) => admit(request, known)).then(() => done(), done);
      return;
    }
    admit(request, found);
    done();
  });
}

/** `/tasks//1?x=//` → `/tasks/1?x=//`: earlier clients write double slashes. */
export function collapseSlashes(url: string): string {
  const end = url.indexOf('?');
  const path = end === -1 ? url : url.slice(0, end);
  if (!path.includes('//')) return url;
  return path.replace(/\/{2,}/g, '/') + (end === -1 ? '' : url.slice(end));
}

/** A route that does not say who may call it stops the program from starting. */
function requireAccessDeclaration(app: App): void {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  app.addHook('onReady', async () => {
    const open = routes.filter((route) => route.config?.access === undefined);
    if (open.length === 0) return;
    const names = open.map((route) => `${String(route.method)} ${route.url}`).join(', ');
    throw new Error(`these routes do not declare config.access: ${names}`);
  });
}

/** Query strings are text, so they are converted; bodies are taken at their word. */
function useValidators(app: App): void {
  const make = (coerceTypes: boolean | 'array') => {
    const ajv = new Ajv.default({
      coerceTypes,
      useDefaults: true,
      removeAdditional: false,
      allErrors: false,
      strict: false,
    });
    addFormats.default(ajv);
    return ajv;
  };
  const strict = make(false);
  const converting = make('array');
  app.setValidatorCompiler(({ schema, httpPart }) =>
    compiledWhenUsed(() => (httpPart === 'body' ? strict : converting).compile(schema as object)),
  );
}

/** Most of a gateway's start went into compiling schemas of calls that nobody makes for hours. */
function compiledWhenUsed(compile: () => Ajv.ValidateFunction): Ajv.ValidateFunction {
  let compiled: Ajv.ValidateFunction | undefined;
  const validate = (data: unknown): boolean => {
    compiled ??= compile();
    const valid = compiled(data) as boolean;
    validate.errors = compiled.errors;
    return valid;
  };
  validate.errors = null as Ajv.ValidateFunction['errors'];
  return validate as Ajv.ValidateFunction;
}

function useSerializers(app: App): void {
  const compile = SerializerSelector()({}, {});
  app.setSerializerCompiler((route) => {
    let compiled: ((data: unknown) => string) | undefined;
    return (data) => {
      compiled ??= compile(route as Parameters<typeof compile>[0]) as (data: unknown) => string;
      return compiled(data);
    };
  });
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** An empty body with a JSON content type is no body; bytes that are not UTF-8 are refused, not replaced. */
function acceptJson(app: App): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    let text: string;
    try {
      text = UTF8.decode(body as Buffer);
    } catch {
      return done(fail('invalid_json', 'The body is not UTF-8.'));
    }
    return app.getDefaultJsonParser('error', 'error')(request, text, done);
  });
}

const CSP = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'self'",
].join('; ');

function secureHeaders(app: App): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    reply.header('X-Content-Type-Options', 'nosniff');
    reply.header('Referrer-Policy', 'no-referrer');
    reply.header('X-Frame-Options', 'DENY');
    if (!reply.hasHeader('Content-Security-Policy')) reply.header('Content-Security-Policy', CSP);
    if (request.protocol === 'https') reply.header('Strict-Transport-Security', 'max-age=31536000');
    if (request.principal && !reply.hasHeader('Cache-Control')) reply.header('Cache-Control', 'private, no-cache');
    done(null, payload);
  });
}

function answerErrors(app: App): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = toCaudalError(thrown);
    if (error.status >= 500) {
      // What passes by itself and is retried is no failure of ours.
      const level = error.retry_after === undefined ? 'error' : 'warn';
      request.log[level]({ err: error.cause ?? error, code: error.code }, 'request failed');
    }
    if (error.status < 500) request.log.debug({ code: error.code, detail: error.message }, 'request refused');
    return sendProblem(error, reply, request.tracing?.trace_id);
  });
  app.setNotFoundHandler({ preHandler: [] }, (request, reply) => sendProblem(nothingAt(request), reply));
}

function nothingAt({ method, url }: FastifyRequest): CaudalError {
  return fail('not_found', `There is nothing at ${method} ${pathOf(url).slice(0, 200)}.`);
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

interface Answer {
  status(code: number): Answer;
  header(name: string, value: string | number): Answer;
  type(value: string): Answer;
  send(payload: unknown): Answer;
}

function sendProblem(error: CaudalError, reply: Answer, traceId?: string): Answer {
  if (error.retry_after !== undefined) reply.header('Retry-After', error.retry_after);
  else if (error.status === 503) reply.header('Retry-After', 2);
  return reply
    .status(error.status)
    .type(PROBLEM_JSON)
    .send(JSON.stringify(toProblem(error, traceId ?? null)));
}

/** What Node's parser refused before there was a request: still problem+json, then the connection ends. */
function answerBrokenRequest(error: Error & { code?: string }, socket: import('node:net').Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? fail('headers_too_large', 'The request headers are larger than 16 KiB.')
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? fail('request_timeout', 'The request came too slowly.')
        : fail('bad_request', 'The request is not valid HTTP.');
  const body = JSON.stringify(toProblem(refusal, null));
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.title}\r\nContent-Type: ${PROBLEM_JSON}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
