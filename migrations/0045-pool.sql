-- The elastic pool of workers, and who died with what in its hands.

ALTER TABLE instances ADD COLUMN name text;      -- as its supervisor calls it, e.g. worker-2

CREATE TABLE instance_deaths (
  id uuid PRIMARY KEY,
  instance_id uuid NOT NULL,                     -- `instances` forgets after a week, this does not
  name text,
  roles text[] NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  cause text NOT NULL CHECK (cause IN ('exited', 'killed', 'vanished', 'silent')),
  exit_code integer,
  signal text,
  started_at timestamptz NOT NULL,
  heartbeat_at timestamptz NOT NULL,             -- its last sign of life
  died_at timestamptz NOT NULL DEFAULT now(),    -- when it was noticed
  noticed_by text NOT NULL,
  tasks jsonb NOT NULL                           -- what it was running: TaskAtDeath[] of src/contract/instances.ts
);
CREATE INDEX instance_deaths_time ON instance_deaths (died_at DESC);
CREATE INDEX instance_deaths_instance ON instance_deaths (instance_id, died_at DESC);

-- What runs is asked for at every claim and look at the pool; it must not cost what is queued.
CREATE INDEX tasks_running ON tasks (instance_id, workspace_id) WHERE status = 'running';
CREATE INDEX tasks_queued ON tasks (workspace_id, kind) WHERE status = 'queued';

CREATE TABLE worker_pool (                       -- one row: the target that the lock holder sets
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  target integer NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT now(),
  decision bigint NOT NULL DEFAULT 0,            -- raised by each change
  reason text NOT NULL DEFAULT '',
  detail jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE supervisors (                       -- who runs workers; each takes its share of the target
  id uuid PRIMARY KEY,
  host text NOT NULL,
  pid integer NOT NULL,
  workers integer NOT NULL DEFAULT 0,
  beat bigint NOT NULL DEFAULT 0,
  heartbeat_at timestamptz NOT NULL DEFAULT now()
);
