-- Who has which share of what is limited for all nodes together: one row for each thing, which is there
-- as long as somebody has a share of it. What it means only the program knows (spool.Pool).
CREATE TABLE share (
  name    bytea PRIMARY KEY,
  pool    bytea NOT NULL,
  touched timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

-- What nodes have counted of clients and accounts: when all of it is paid back (spool.Counter).
CREATE TABLE counted (
  room    bytea NOT NULL,
  key     bytea NOT NULL,
  until   bigint NOT NULL,
  touched timestamptz NOT NULL,
  PRIMARY KEY (room, key)
) WITH (fillfactor = 70, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX counted_touched ON counted (room, touched);
CREATE INDEX counted_until ON counted (until);

-- began_nanos is when the transaction began, by the clock of the database.
CREATE FUNCTION began_nanos() RETURNS bigint LANGUAGE sql STABLE AS
  $$ SELECT (extract(epoch FROM now()) * 1000000)::bigint * 1000 $$;
