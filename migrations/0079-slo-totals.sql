-- Running totals beside each counted minute: any window is the difference of two rows, however long it is. Summing the
-- minutes of thirty days for every service level, four times a minute, read 43,200 rows for each.
ALTER TABLE slo_minutes
  ADD COLUMN good_until double precision,        -- of all minutes up to and with this one
  ADD COLUMN total_until double precision;

UPDATE slo_minutes m SET good_until = r.good, total_until = r.total
FROM (SELECT slo_id, minute, sum(good) OVER w AS good, sum(total) OVER w AS total FROM slo_minutes
      WINDOW w AS (PARTITION BY slo_id ORDER BY minute)) r
WHERE r.slo_id = m.slo_id AND r.minute = m.minute;

ALTER TABLE slo_minutes ALTER COLUMN good_until SET NOT NULL, ALTER COLUMN total_until SET NOT NULL;
