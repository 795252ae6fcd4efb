-- Webhook deliveries: what a subscription took from its stream and has yet to bring to its address. The
-- position of the subscription moves in the transaction that writes them; the body leaves when it has arrived.

CREATE TABLE webhook_deliveries (
  id uuid PRIMARY KEY,                           -- webhook-id: the same at every attempt, so that a receiver can tell
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  subscription_id uuid NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
  topic text NOT NULL,
  batch_id uuid NOT NULL,
  first_offset bigint NOT NULL,
  last_offset bigint NOT NULL,
  body text,                                     -- null once delivered
  carrier jsonb,
  trace_id text,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL DEFAULT now(),
  since timestamptz NOT NULL DEFAULT now(),      -- when it was first due: a day later it is dead
  status integer,                                -- of the last answer
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  settled_at timestamptz,
  UNIQUE (subscription_id, first_offset),        -- a replay delivers what stands here again, it adds nothing
  CHECK ((state = 'delivered') = (body IS NULL))
);
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (subscription_id, id DESC);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (subscription_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (subscription_id, id DESC) WHERE state = 'dead';
CREATE INDEX webhook_deliveries_settled ON webhook_deliveries (settled_at) WHERE settled_at IS NOT NULL;
