import { randomBytes } from 'node:crypto';
import { Type } from 'typebox';
import { Channel, ChannelInput, ChannelPatch, Silence, SilenceInput } from '#contract/channels.ts';
import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid, newId } from '#kernel/ids.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import { removeVisible } from '#platform/db/owner.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { changeChannel, createChannel, getChannel, listChannels, toChannel } from './channels.ts';
import type { Deliver } from './outbox.ts';
import { createSilence, listSilences, toSilence } from './silences.ts';

export interface ChannelRouteDeps {
  db: Db;
  clock: Clock;
  deliver: Deliver;
}

const tags = ['alerts'];
const read = { access: { scope: 'telemetry:read' } } as const;
const write = { access: { scope: 'telemetry:write' } } as const;
const params = Type.Object({ id: Type.String() });

/** Channels hold addresses and secrets, so they are changed by those who may change everything of the workspace. */
const manage = { access: { scope: 'admin' } } as const;

export function channelRoutes(deps: ChannelRouteDeps) {
  return (app: App): void => {
    listing(app, deps);
    making(app, deps);
    changing(app, deps);
    testing(app, deps);
    silences(app, deps);
  };
}

function listing(app: App, { db }: ChannelRouteDeps): void {
  app.get(
    '/channels',
    {
      config: read,
      schema: {
        tags,
        summary: 'Where incidents are told. Without any: mail to the owners, or to the operators',
        querystring: Type.Object(PageQuery),
        response: { 200: PageOf(Channel) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listChannels(db, principalOf(request), cursorId(cursor), limit + 1), limit, toChannel);
    },
  );
  app.get(
    '/channels/:id',
    { config: read, schema: { tags, summary: 'One channel', params, response: { 200: Channel } } },
    async (request) => toChannel(await getChannel(db, principalOf(request), request.params.id)),
  );
}

function making(app: App, { db }: ChannelRouteDeps): void {
  const Made = Type.Object({
    ...Channel.properties,
    secret: Type.Optional(Type.String({ description: 'Of a webhook’s signature (Standard Webhooks), this once' })),
  });
  app.post(
    '/channels',
    {
      config: { ...manage, idempotent: 'secret' },
      schema: { tags, summary: 'Make a channel', body: ChannelInput, response: { 201: Made } },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const secret = request.body.kind === 'webhook' ? `whsec_${randomBytes(32).toString('base64')}` : null;
      const id = await transaction(db, async (tx) => {
        const made = await createChannel(tx, principal, request.body, secret);
        const detail = { name: request.body.name, kind: request.body.kind };
        await audit(tx, { ...actorOf(request), action: 'channel.created', target: made, detail });
        return made;
      });
      const channel = toChannel(await getChannel(db, principal, id));
      return reply
        .status(201)
        .header('Location', `/channels/${id}`)
        .header('Cache-Control', 'no-store')
        .send({ ...channel, ...(secret ? { secret } : {}) });
    },
  );
}

function changing(app: App, { db }: ChannelRouteDeps): void {
  app.patch(
    '/channels/:id',
    {
      config: manage,
      schema: { tags, summary: 'Change a channel', params, body: ChannelPatch, response: { 200: Channel } },
    },
    async (request) => {
      const principal = principalOf(request);
      const { id } = request.params;
      await transaction(db, async (tx) => {
        await changeChannel(tx, await getChannel(tx, principal, id), request.body);
        await audit(tx, {
          ...actorOf(request),
          action: 'channel.changed',
          target: id,
          detail: { fields: Object.keys(request.body) },
        });
      });
      return toChannel(await getChannel(db, principal, id));
    },
  );
  app.delete(
    '/channels/:id',
    { config: manage, schema: { tags, summary: 'Remove a channel', params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id } = request.params;
      await transaction(db, async (tx) => {
        if (!isUuid(id) || !(await removeVisible(tx, 'channels', id, principalOf(request)))) {
          throw fail('channel_not_found', 'There is no such channel here.');
        }
        await audit(tx, { ...actorOf(request), action: 'channel.deleted', target: id });
      });
      return reply.status(204).send(null);
    },
  );
}

function testing(app: App, { deliver, db }: ChannelRouteDeps): void {
  app.post(
    '/channels/:id/test',
    {
      config: { ...manage, idempotent: false },
      schema: {
        tags,
        summary: 'Send a test through a channel now, and say how it went',
        params,
        response: { 200: Type.Object({ delivered: Type.Boolean(), error: Type.Union([Type.String(), Type.Null()]) }) },
      },
    },
    async (request) => {
      const channel = await getChannel(db, principalOf(request), request.params.id);
      const { workspace_id } = channel;
      const message = {
        id: newId(),
        reason: 'test',
        channel,
        workspace_id,
        incident: null,
        policy: null,
        mail: null,
      } as const;
      try {
        await deliver(message);
        return { delivered: true, error: null };
      } catch (error) {
        return { delivered: false, error: (error as Error).message.slice(0, 500) };
      }
    },
  );
}

function silences(app: App, { db, clock }: ChannelRouteDeps): void {
  app.get(
    '/silences',
    {
      config: read,
      schema: {
        tags,
        summary: 'What is muted until when',
        querystring: Type.Object(PageQuery),
        response: { 200: PageOf(Silence) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      const found = await listSilences(db, principalOf(request), cursorId(cursor), limit + 1);
      return pageOf(found, limit, (row) => toSilence(row, clock.now()));
    },
  );
  app.post(
    '/silences',
    {
      config: write,
      schema: {
        tags,
        summary: 'Mute incidents for a while; what lasts longer is told afterwards',
        body: SilenceInput,
        response: { 201: Silence },
      },
    },
    async (request, reply) => {
      const row = await transaction(db, async (tx) => {
        const made = await createSilence(tx, principalOf(request), request.body, clock.now());
        await audit(tx, {
          ...actorOf(request),
          action: 'silence.created',
          target: made.id,
          detail: { comment: made.comment },
        });
        return made;
      });
      return reply.status(201).header('Location', `/silences/${row.id}`).send(toSilence(row, clock.now()));
    },
  );
  app.delete(
    '/silences/:id',
    { config: write, schema: { tags, summary: 'End a silence', params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id } = request.params;
      await transaction(db, async (tx) => {
        if (!isUuid(id) || !(await removeVisible(tx, 'silences', id, principalOf(request)))) {
          throw fail('silence_not_found', 'There is no such silence here.');
        }
        await audit(tx, { ...actorOf(request), action: 'silence.deleted', target: id });
      });
      return reply.status(204).send(null);
    },
  );
}
