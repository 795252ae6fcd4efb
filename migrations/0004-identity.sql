-- Limits that must hold over all replicas (failed sign-ins, sign-ups, reset mails). Names and order
-- of the columns are those that rate-limiter-flexible reads and writes.
CREATE TABLE rate_limits (
  key varchar(255) PRIMARY KEY,
  points integer NOT NULL DEFAULT 0,
  expire bigint                                  -- ms since the epoch
);
CREATE INDEX rate_limits_expire ON rate_limits (expire);

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX invitations_workspace ON invitations (workspace_id, id DESC);
CREATE INDEX api_tokens_user ON api_tokens (user_id);
CREATE INDEX audit_log_action ON audit_log (workspace_id, action, id DESC);
