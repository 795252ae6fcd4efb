-- Who holds an unanswered key: the death of that process frees it at once for the repeat at another replica.
ALTER TABLE idempotency_keys ADD COLUMN instance_id uuid;
