import { type Static, Type } from 'typebox';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** What a publisher hears once its events are durable. */
export const Published = Type.Object({
  accepted: Type.Integer({ description: 'Events received' }),
  batch_id: Type.String(),
});
export type Published = Static<typeof Published>;

/** What one that waits hears once they can be read. */
export const Inserted = Type.Object({
  accepted: Type.Integer({ description: 'Events received' }),
  inserted: Type.Integer({ description: 'Rows that can be read now' }),
  quarantined: Type.Integer(),
  batch_id: Type.String(),
});
export type Inserted = Static<typeof Inserted>;

export const Subscription = Type.Object({
  id: Type.String(),
  kind: Type.Enum(['dataset', 'webhook']),
  dataset: Nullable(Type.String()),
  webhook_url: Nullable(Type.String()),
  position: Type.Integer({ description: 'Offset of the last event that was taken' }),
  backlog: Type.Integer({ description: 'Events that wait' }),
  oldest_seconds: Nullable(Type.Number({ description: 'Age of the oldest that waits' })),
  state: Type.Enum(['active', 'failed']),
  error: Nullable(Type.Object({ code: Type.String(), message: Type.String() })),
  advanced_at: Nullable(Type.String()),
  created_at: Type.String(),
});
export type Subscription = Static<typeof Subscription>;

export const Topic = Type.Object({
  id: Type.String(),
  name: Type.String(),
  events: Type.Integer({ description: 'Ever published; the offset of the newest' }),
  rate: Type.Object(
    { events: Type.Number(), batches: Type.Number(), bytes: Type.Number() },
    { description: 'Per second, over the last one to two minutes' },
  ),
  last_hour: Type.Object({ events: Type.Integer(), batches: Type.Integer(), bytes: Type.Integer() }),
  backlog: Type.Integer({ description: 'The largest of its subscriptions' }),
  subscriptions: Type.Array(Subscription),
  created_at: Type.String(),
});
export type Topic = Static<typeof Topic>;
