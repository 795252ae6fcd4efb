-- What a running task has done so far, in its own measures (a load: bytes and rows).
ALTER TABLE tasks ADD COLUMN detail jsonb;
