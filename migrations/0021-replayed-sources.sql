-- A replay brings the sources behind an offset anew: what an object lists of them counts no longer.
ALTER TABLE event_sources ADD COLUMN until_offset bigint;
