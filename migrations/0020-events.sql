-- Streams of events: topics, and the hidden stream of a dataset's direct rows. An event's offset is its
-- place in its stream; offsets are taken from `head` in the transaction that inserts the batch, so that they
-- become visible in their order whatever number of gateways publishes.

ALTER TABLE workspaces ADD COLUMN auto_topics boolean NOT NULL DEFAULT true;   -- topics come into being on first use

CREATE TABLE topics (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('topic', 'rows')),
  name text,                                     -- null for the rows of a dataset
  dataset_id uuid REFERENCES datasets ON DELETE CASCADE,
  head bigint NOT NULL DEFAULT 0,                -- offset of the newest event; the first has 1
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'topic') = (name IS NOT NULL) AND (kind = 'rows') = (dataset_id IS NOT NULL))
) WITH (fillfactor = 50);                        -- the head moves with every group of batches: updates stay on their page
CREATE UNIQUE INDEX topics_name ON topics (workspace_id, name) WHERE kind = 'topic';
CREATE UNIQUE INDEX topics_dataset ON topics (dataset_id) WHERE kind = 'rows';

CREATE TABLE subscriptions (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  topic_id uuid NOT NULL REFERENCES topics ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('dataset', 'webhook')),
  dataset_id uuid,                               -- where the rows go now; a deleted dataset is made again by name
  dataset text,
  webhook_url text,
  webhook_secret text,
  position bigint NOT NULL,                      -- offset of the last event that was taken
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'failed')),
  error jsonb,                                   -- why it stands still
  advanced_at timestamptz,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'dataset') = (dataset IS NOT NULL) AND (kind = 'webhook') = (webhook_url IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX subscriptions_topic ON subscriptions (topic_id, id);
CREATE UNIQUE INDEX subscriptions_dataset ON subscriptions (topic_id, dataset_id) WHERE kind = 'dataset';

CREATE TABLE event_batches (
  topic_id uuid NOT NULL REFERENCES topics ON DELETE CASCADE,
  first_offset bigint NOT NULL,
  last_offset bigint NOT NULL,
  id uuid NOT NULL,
  bytes integer NOT NULL,                        -- of the NDJSON, unpacked
  packed boolean NOT NULL,                       -- the payload is zstd
  payload bytea NOT NULL,                        -- NDJSON, one event per line
  carrier jsonb,
  trace_id text,
  principal uuid,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (topic_id, first_offset)
);
-- Packed already, or too short to be worth it.
ALTER TABLE event_batches ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE TABLE event_archives (                    -- batches that everybody took, as objects
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  topic_id uuid NOT NULL REFERENCES topics ON DELETE CASCADE,
  first_offset bigint NOT NULL,
  last_offset bigint NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  batches integer NOT NULL,
  bytes bigint NOT NULL,
  object_key text NOT NULL UNIQUE
);
CREATE INDEX event_archives_topic ON event_archives (topic_id, first_offset);

CREATE TABLE topic_minutes (                     -- for rates
  topic_id uuid NOT NULL REFERENCES topics ON DELETE CASCADE,
  minute timestamptz NOT NULL,
  events bigint NOT NULL,
  batches bigint NOT NULL,
  bytes bigint NOT NULL,
  PRIMARY KEY (topic_id, minute)
);

-- One row per drain: the sources (batches) it brought, as a list; many such rows are folded into one Parquet
-- object. A source with quarantined records stands in `sources` instead: its quarantine refers to it.
CREATE TABLE event_sources (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
  subscription_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('events', 'rows')),
  topic text,
  sources integer NOT NULL,
  first_source uuid NOT NULL,                    -- least and greatest id: where to look for one
  last_source uuid NOT NULL,
  first_offset bigint NOT NULL,
  last_offset bigint NOT NULL,
  ended_version bigint,                          -- a replace ended its rows
  list jsonb,                                    -- EventSource[]
  object_key text UNIQUE,
  bytes bigint NOT NULL,
  CHECK ((list IS NULL) <> (object_key IS NULL))
);
CREATE INDEX event_sources_dataset ON event_sources (dataset_id, last_source DESC);
CREATE INDEX event_sources_subscription ON event_sources (subscription_id, last_offset);
