-- Who has which share of what is limited for all nodes together: one row for each thing, which is there
-- as long as somebody has a share of it. What it means only the program knows (spool.Pool).
CREATE TABLE share (
  name    bytea PRIMARY KEY,
  pool    bytea NOT NULL,
  touched timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
