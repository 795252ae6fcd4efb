import { type Static, Type } from 'typebox';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const DELIVERY_STATES = ['waiting', 'delivered', 'dead'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One message to a webhook: a batch of events, or a part of a large one. */
export const Delivery = Type.Object({
  id: Type.String({ description: 'The `webhook-id` of every attempt' }),
  batch_id: Type.String(),
  first_offset: Type.Integer(),
  last_offset: Type.Integer(),
  state: Type.Enum(DELIVERY_STATES),
  attempts: Type.Integer(),
  next_at: Nullable(Type.String({ description: 'When it is tried again' })),
  status: Nullable(Type.Integer({ description: 'Of the last answer' })),
  error: Nullable(Type.String()),
  trace_id: Nullable(Type.String()),
  created_at: Type.String(),
  settled_at: Nullable(Type.String()),
});
export type Delivery = Static<typeof Delivery>;
