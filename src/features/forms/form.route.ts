import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { CaudalError } from '#kernel/errors.ts';
import type { App } from '#platform/http/app.ts';
import { acceptForms, ReceivedForm } from '#platform/http/multipart.ts';
import { toCaudalError } from '#platform/http/problem.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import { currentTraceId } from '#platform/observe/tracing.ts';
import { tagWorkspace } from '#platform/observe/workspace.ts';
import { serveAssets } from './assets.ts';
import type { FormDeps } from './deps.ts';
import { type Drawn, drawForm, drawMessage, drawReceipt } from './draw.ts';
import { type Form, findForm } from './find-form.ts';
import { createFloods } from './floods.ts';
import { chooseLanguage } from './language.ts';
import { type OpenedForm, openForm, postForm } from './post-form.ts';
import { SubmissionRefused } from './submission.ts';

const Slug = Type.Object({ slug: Type.String() });
const Lang = Type.Object({ lang: Type.Optional(Type.String({ maxLength: 40, description: 'en or es' })) });
const Html = (description: string) => ({ description, content: { 'text/html': { schema: Type.String() } } });
const Receipt = Type.Object({
  id: Type.String({ description: "The row's receipt" }),
  dataset: Type.String(),
  receipt_url: Type.String(),
});

/** Nothing but our own style, script and pictures. */
const CSP = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self' blob:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function formRoutes(deps: FormDeps) {
  return async (app: App): Promise<void> => {
    const floods = createFloods(deps.settings.per_address, deps.clock.monotonic);
    const assets = serveAssets(app);
    const drawing = (request: FastifyRequest): Drawn => {
      const { lang } = request.query as { lang?: string };
      return { assets, language: chooseLanguage(lang, request.headers['accept-language']), asked: lang };
    };
    const page = (reply: FastifyReply, { language }: Drawn, html: string): FastifyReply =>
      reply
        .type('text/html; charset=utf-8')
        .header('Content-Language', language)
        .header('Vary', 'Accept-Language, Cookie')
        .header('Cache-Control', 'private, no-store')
        .header('Content-Security-Policy', CSP)
        .send(html);

    // Before the body is read: a flood must not fill the disk with photos.
    app.addHook('onRequest', async (request) => {
      if (request.method === 'POST' && !request.principal) floods.admit(request.ip);
    });
    await acceptForms(app, deps.temp_dir, {
      file_bytes: deps.settings.photo_bytes,
      total_bytes: deps.settings.photo_bytes * 4,
    });
    app.setErrorHandler((thrown, request, reply) => {
      if (!wantsPage(request)) throw thrown;
      const error = toCaudalError(thrown);
      if (error.status >= 500) request.log.error({ err: error.cause ?? error, code: error.code }, 'request failed');
      if (error.retry_after !== undefined) reply.header('Retry-After', error.retry_after);
      const drawn = drawing(request);
      return page(reply.status(error.status), drawn, drawMessage(drawn, error, currentTraceId()));
    });
    const tags = ['forms'];

    app.get(
      '/forms/:slug',
      {
        config: { access: 'public' },
        schema: {
          tags,
          summary: 'The form, in English or Spanish',
          params: Slug,
          querystring: Lang,
          response: { 200: Html('A page that works without a script') },
        },
      },
      async (request, reply) => {
        const form = await open(deps, request);
        const drawn = drawing(request);
        const opened = openForm(deps, form, request, reply);
        return page(reply, drawn, drawForm(drawn, form, deps.settings, opened));
      },
    );

    app.post(
      '/forms/:slug',
      {
        config: { access: 'public' },
        schema: {
          tags,
          summary: 'Register what the form asks; JSON is taken too',
          consumes: ['multipart/form-data', 'application/x-www-form-urlencoded', 'application/json'],
          params: Slug,
          querystring: Lang,
          response: {
            201: Receipt,
            303: { description: 'To the receipt', type: 'null' },
            422: Html('The form again, with what is wrong beside each field'),
          },
        },
      },
      async (request, reply) => {
        const form = await open(deps, request);
        const drawn = drawing(request);
        try {
          const { id, url } = await postForm(deps, form, request);
          counter('caudal.forms.submitted').add(1, {
            'caudal.outcome': 'accepted',
            'caudal.workspace': form.workspace_id,
          });
          const location = drawn.asked === undefined ? url : `${url}&lang=${drawn.language}`;
          reply.header('Location', location);
          if (!prefersJson(request)) return reply.status(303).send(null);
          return reply.status(201).send({ id, dataset: form.name, receipt_url: location });
        } catch (error) {
          const outcome = error instanceof SubmissionRefused ? 'refused' : ((error as CaudalError).code ?? 'failed');
          counter('caudal.forms.submitted').add(1, {
            'caudal.outcome': outcome,
            'caudal.workspace': form.workspace_id,
          });
          if (error instanceof SubmissionRefused && prefersJson(request)) {
            await deps.photos.discard(Object.values(error.photos));
          }
          return answerRefusal(error, form, drawn, request, reply);
        }
      },
    );

    app.get(
      '/forms/:slug/receipt',
      {
        config: { access: 'public' },
        schema: {
          tags,
          summary: 'The receipt of a form that was sent',
          params: Slug,
          querystring: Type.Intersect([Lang, Type.Object({ r: Type.Optional(Type.String({ maxLength: 500 })) })]),
          response: { 200: Html('A page with the receipt number') },
        },
      },
      async (request, reply) => {
        const form = await open(deps, request);
        const drawn = drawing(request);
        return page(reply, drawn, drawReceipt(drawn, form, deps, request.query.r ?? ''));
      },
    );

    /** The form again with what was typed and what is wrong; to a program the problem. */
    function answerRefusal(error: unknown, form: Form, drawn: Drawn, request: FastifyRequest, reply: FastifyReply) {
      const refused = error instanceof SubmissionRefused ? error : undefined;
      if (prefersJson(request)) throw refused?.answer ?? error;
      const again = refused?.answer ?? toCaudalError(error);
      const shown: boolean = refused !== undefined || REDRAWN.has(again.code);
      if (!shown) throw error;
      const opened: OpenedForm = openForm(deps, form, request, reply, {
        received: request.body instanceof ReceivedForm ? request.body : new ReceivedForm(),
        photos: refused?.photos ?? {},
        errors: refused?.errors ?? [],
        code: refused ? null : again.code,
      });
      return page(reply.status(again.status), drawn, drawForm(drawn, form, deps.settings, opened));
    }
  };
}

/** What concerns the whole form, and passes when it is sent again from the page that is answered. */
const REDRAWN = new Set(['form_expired', 'form_trap', 'image_busy', 'idempotency_key_reused']);

async function open(deps: FormDeps, request: FastifyRequest): Promise<Form> {
  const { slug } = request.params as { slug: string };
  const form = await findForm(deps.db, slug, request.principal);
  tagWorkspace(form.workspace_id);
  return form;
}

/** A browser says that it wants a page; whoever does not is a program. */
function wantsPage({ headers }: FastifyRequest): boolean {
  return /text\/html|application\/xhtml/.test(headers.accept ?? '');
}

/** Of what a form's own encodings bring, the answer is a page unless something else is asked for. */
function prefersJson(request: FastifyRequest): boolean {
  if (wantsPage(request)) return false;
  const { accept = '', authorization } = request.headers;
  return !(request.body instanceof ReceivedForm) || accept.includes('json') || authorization !== undefined;
}
