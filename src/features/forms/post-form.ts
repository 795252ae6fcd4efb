import { createHash, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type FieldError, fail, invalid } from '#kernel/errors.ts';
import { isUuid, newId } from '#kernel/ids.ts';
import { type Db, first, sql, type Tx } from '#platform/db/db.ts';
import { ReceivedForm } from '#platform/http/multipart.ts';
import type { FormDeps } from './deps.ts';
import type { Form } from './find-form.ts';
import { KEPT, TOKEN, TRAP } from './page.ts';
import type { Submission } from './read-row.ts';
import { seal, unseal } from './seal.ts';
import { submit } from './submission.ts';

/** How long a page may stay open. */
const TOKEN_MS = 12 * 3_600_000;
/** As long as the sweep leaves a photo that no row keeps. */
const PHOTO_MS = 3_600_000;
const COOKIE = 'caudal_form';
const HELD = new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{22})(?:;|$)`);

/** What was sent before and did not do. */
export interface Tried {
  received: ReceivedForm;
  photos: Record<string, string>;
  errors: readonly FieldError[];
  /** What is wrong with the whole. */
  code: string | null;
}

export interface OpenedForm {
  token: string;
  values: Record<string, string>;
  /** Column → sealed reference to a photo that is stored. */
  kept: Record<string, string>;
  errors: readonly FieldError[];
  code: string | null;
}

/**
 * A form is good for one sending, by the browser that it was given to: the token names the dataset, a number used once
 * (double clicks and reloads register once), and the session, or for somebody who is not signed in a cookie made here.
 */
export function openForm(
  deps: FormDeps,
  form: Form,
  request: FastifyRequest,
  reply: FastifyReply,
  tried?: Tried,
): OpenedForm {
  const now = deps.clock.now().getTime();
  const { dataset_id } = form;
  const holder = holderOf(request) ?? giveCookie(reply, deps.settings.secure || request.protocol === 'https');
  const token = seal(deps.key, 'form', { d: dataset_id, n: newId(), h: digest(holder) }, now);
  const kept = Object.entries(tried?.photos ?? {}).map(([column, id]) => [
    column,
    seal(deps.key, 'photo', { d: dataset_id, c: column, f: id }, now),
  ]);
  return {
    token,
    values: tried ? withoutOurs(tried.received).record() : {},
    kept: Object.fromEntries(kept),
    errors: tried?.errors ?? [],
    code: tried?.code ?? null,
  };
}

/** Who holds a page: a session or token, else the browser's cookie. */
function holderOf(request: FastifyRequest): string | undefined {
  if (request.principal) return `credential ${request.principal.credential_id}`;
  const cookie = HELD.exec(request.headers.cookie ?? '')?.[1];
  return cookie && `cookie ${cookie}`;
}

function giveCookie(reply: FastifyReply, secure: boolean): string {
  const secret = randomBytes(16).toString('base64url');
  reply.header(
    'Set-Cookie',
    `${COOKIE}=${secret}; Path=/forms; Max-Age=${TOKEN_MS / 1000}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
  );
  return `cookie ${secret}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

export interface Registered {
  id: string;
  /** Of the receipt. */
  url: string;
}

/**
 * @throws form_expired, form_trap; SubmissionRefused; idempotency_key_reused when the same page was sent before with
 *   other answers
 */
export async function postForm(deps: FormDeps, form: Form, request: FastifyRequest): Promise<Registered> {
  const { body } = request;
  const number = body instanceof ReceivedForm ? checkToken(deps, form, body, request) : undefined;
  const submission = submissionOf(deps, form, request);
  if (number === undefined) {
    const id = await submit(deps, submission, {});
    return { id, url: receiptUrl(deps, form, id) };
  }
  const hash = createHash('sha256')
    .update(JSON.stringify(withoutOurs(body as ReceivedForm)))
    .digest();
  const before = await sentBefore(deps.db, form, number, hash);
  if (before) return before;
  let url = '';
  try {
    const id = await submit(deps, submission, {
      before: (tx) => claim(tx, form, number, hash),
      after: async (tx, id) => {
        url = receiptUrl(deps, form, id);
        await keepReceipt(tx, form, number, id, url);
      },
    });
    return { id, url };
  } catch (error) {
    // Clicked twice: the first came through while this one was on its way.
    const first = error instanceof AlreadySent ? await sentBefore(deps.db, form, number, hash) : undefined;
    if (!first) throw error;
    return first;
  }
}

/** @returns the number used once; undefined where the caller's own secret, which no other site has, came along */
function checkToken(deps: FormDeps, form: Form, body: ReceivedForm, request: FastifyRequest): string | undefined {
  const given = body.fields.find(([name]) => name === TOKEN)?.[1];
  if (given === undefined && request.headers.authorization !== undefined && request.principal) return undefined;
  if (body.fields.some(([name, value]) => name === TRAP && value !== '')) {
    throw fail('form_trap', 'The hidden field must stay empty.');
  }
  const opened = unseal(deps.key, 'form', given ?? '', deps.clock.now().getTime(), TOKEN_MS);
  const holder = holderOf(request);
  const { d, n, h } = opened?.value ?? {};
  if (d === form.dataset_id && n !== undefined && holder !== undefined && h === digest(holder)) return n;
  throw fail('form_expired', 'The page of the form is too old, or was not given to this browser.', {
    hint: `Open ${request.url.split('?', 1)[0]} again. Programs send JSON, or Authorization: Bearer <token>.`,
  });
}

function submissionOf(deps: FormDeps, form: Form, request: FastifyRequest): Submission {
  const { dataset_id, workspace_id, name, columns } = form;
  const target = { dataset_id, workspace_id, name, columns };
  const named = request.headers.authorization !== undefined && request.principal !== null;
  const common = { target, principal: request.principal, names_files: named };
  const { body } = request;
  if (body instanceof ReceivedForm) {
    const ours = withoutOurs(body);
    return {
      ...common,
      record: ours.record(),
      repeated: ours.repeated(),
      files: ours.files,
      kept: keptPhotos(deps, form, body),
    };
  }
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw invalid('body', 'A form takes one row: a JSON object.', 'not_a_record');
  }
  return { ...common, record: body as Record<string, unknown>, repeated: [], files: [], kept: {} };
}

/** The columns' own fields, without our controls. */
function withoutOurs({ fields, files }: ReceivedForm): ReceivedForm {
  const form = new ReceivedForm();
  form.fields.push(...fields.filter(([name]) => !name.startsWith(':')));
  form.files.push(...files);
  return form;
}

function keptPhotos(deps: FormDeps, form: Form, body: ReceivedForm): Record<string, string> {
  const kept: Record<string, string> = Object.create(null);
  const now = deps.clock.now().getTime();
  for (const [name, value] of body.fields) {
    if (!name.startsWith(KEPT)) continue;
    const { d, c, f } = unseal(deps.key, 'photo', value, now, PHOTO_MS)?.value ?? {};
    if (d === form.dataset_id && c === name.slice(KEPT.length) && f !== undefined && isUuid(f)) kept[c] = f;
  }
  return kept;
}

function receiptUrl(deps: FormDeps, form: Form, id: string): string {
  const sealed = seal(deps.key, 'receipt', { d: form.dataset_id, i: id }, deps.clock.now().getTime());
  return `/forms/${encodeURIComponent(form.slug)}/receipt?r=${sealed}`;
}

const ROUTE = 'POST /forms';
const SENDER = 'form';

class AlreadySent extends Error {}

/** First in the transaction: of two that come at once, the second waits here for the first. */
async function claim(tx: Tx, form: Form, number: string, hash: Buffer): Promise<void> {
  const claimed = await sql`
    INSERT INTO idempotency_keys (workspace_id, principal, route, key, body_hash)
    VALUES (${form.workspace_id}, ${SENDER}, ${ROUTE}, ${number}, ${hash})
    ON CONFLICT DO NOTHING RETURNING key`.execute(tx);
  if (claimed.rows.length === 0) throw new AlreadySent('the page was sent before');
}

async function keepReceipt(tx: Tx, form: Form, number: string, id: string, url: string): Promise<void> {
  await sql`
    UPDATE idempotency_keys SET status = 303, headers = ${JSON.stringify({ location: url })}::jsonb, body = ${Buffer.from(id)}
    WHERE workspace_id = ${form.workspace_id} AND principal = ${SENDER} AND route = ${ROUTE} AND key = ${number}`.execute(
    tx,
  );
}

async function sentBefore(db: Db, form: Form, number: string, hash: Buffer): Promise<Registered | undefined> {
  const kept = await first(
    db,
    sql<{ body_hash: Buffer; headers: { location: string } | null; body: Buffer }>`
      SELECT body_hash, headers, body FROM idempotency_keys
      WHERE workspace_id = ${form.workspace_id} AND principal = ${SENDER} AND route = ${ROUTE} AND key = ${number}`,
  );
  if (!kept?.headers) return undefined;
  if (kept.body_hash.equals(hash)) return { id: kept.body.toString(), url: kept.headers.location };
  throw fail('idempotency_key_reused', 'This page of the form was sent before, with other answers.');
}
