import type { Channel, ChannelInput, ChannelKind, ChannelPatch } from '#contract/channels.ts';
import type { Principal } from '#contract/principal.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql } from '#platform/db/db.ts';
import { findVisible, listVisible, type Owner, ownerFor, scopeOf } from '#platform/db/owner.ts';

export interface ChannelRow {
  id: string;
  workspace_id: Owner;
  name: string;
  kind: ChannelKind;
  config: { to?: string[]; language?: 'en' | 'es'; url?: string };
  secret: string | null;
  severities: string[];
  escalation: boolean;
  enabled: boolean;
  created_at: Date;
}

interface ListedChannel extends ChannelRow {
  last_sent_at: Date | null;
  last_error: string | null;
}

const LISTED = sql`
  SELECT c.*, (SELECT max(n.ended_at) FROM notifications n WHERE n.channel_id = c.id AND n.state = 'sent') AS last_sent_at,
    (SELECT n.error FROM notifications n WHERE n.channel_id = c.id AND n.error IS NOT NULL AND n.state <> 'sent'
     ORDER BY n.id DESC LIMIT 1) AS last_error
  FROM channels c`;

export function listChannels(
  db: Db,
  principal: Principal,
  after: string | null,
  limit: number,
): Promise<ListedChannel[]> {
  return listVisible(db, LISTED, principal, after, limit);
}

/** @throws channel_not_found */
export async function getChannel(db: Db, principal: Principal, id: string): Promise<ListedChannel> {
  const found = await findVisible<ListedChannel>(db, LISTED, principal, id);
  if (!found) throw fail('channel_not_found', 'There is no such channel here.');
  return found;
}

export function toChannel(row: ListedChannel): Channel {
  const { config } = row;
  const settings = {
    email: { to: config.to ?? [], language: config.language ?? ('en' as const) },
    webhook: { url: config.url ?? '' },
    pagerduty: config.url === undefined ? {} : { url: config.url },
  };
  return {
    id: row.id,
    name: row.name,
    scope: scopeOf(row.workspace_id),
    kind: row.kind,
    [row.kind]: settings[row.kind],
    severities: row.severities,
    escalation: row.escalation,
    enabled: row.enabled,
    last_sent_at: row.last_sent_at?.toISOString() ?? null,
    last_error: row.last_error,
    created_at: row.created_at.toISOString(),
  };
}

const LOUD = ['page', 'ticket'];

/** @param secret of a webhook's signature, made by the caller */
export async function createChannel(
  db: Db,
  principal: Principal,
  input: ChannelInput,
  secret: string | null,
): Promise<string> {
  const id = newId();
  const config =
    input.kind === 'email' ? input.email : input.kind === 'webhook' ? input.webhook : (input.pagerduty ?? {});
  const kept = input.kind === 'pagerduty' ? input.routing_key : secret;
  await sql`
    INSERT INTO channels (id, workspace_id, name, kind, config, secret, severities, escalation, enabled)
    VALUES (${id}, ${ownerFor(principal, input.scope)}, ${input.name}, ${input.kind}, ${JSON.stringify(config)}::jsonb,
            ${kept}, ${input.severities ?? LOUD}, ${input.escalation ?? false}, ${input.enabled ?? true})`.execute(db);
  return id;
}

/** @throws invalid_input for what belongs to another kind */
export async function changeChannel(db: Db, row: ChannelRow, patch: ChannelPatch): Promise<void> {
  for (const kind of ['email', 'webhook', 'pagerduty'] as const) {
    if (patch[kind] && kind !== row.kind) throw fail('invalid_input', `The channel is of the kind ${row.kind}.`);
  }
  if (patch.routing_key && row.kind !== 'pagerduty') throw fail('invalid_input', 'Only PagerDuty has a routing key.');
  const config = patch[row.kind] ?? row.config;
  await sql`
    UPDATE channels SET name = ${patch.name ?? row.name}, config = ${JSON.stringify(config)}::jsonb,
      secret = ${patch.routing_key ?? row.secret}, severities = ${patch.severities ?? row.severities},
      escalation = ${patch.escalation ?? row.escalation}, enabled = ${patch.enabled ?? row.enabled}, updated_at = now()
    WHERE id = ${row.id}`.execute(db);
}
