-- A spool that several nodes share. Names, IDs and texts of strangers are bytea, since
-- they need not be UTF-8; times are Unix nanoseconds where the contract wants them so.

-- Engines that were opened, counted. What a recipient's row says of suspicion is read with it.
CREATE SEQUENCE life;
-- Epochs of owners, over all nodes; states' versions; places of the journal.
CREATE SEQUENCE epoch;
CREATE SEQUENCE version;
CREATE SEQUENCE place;

-- What an unclean stop of all nodes left: who was written in a life up to this one is suspect
-- if fresh, or due by then.
CREATE TABLE doubt (life bigint NOT NULL, until bigint NOT NULL);

-- Who leases. A row outlives its epoch, since a node stays known.
CREATE TABLE node (
  name     bytea PRIMARY KEY,
  epoch    bigint NOT NULL UNIQUE,
  host     bytea NOT NULL,                  -- node whose engine it joined by
  ttl      interval NOT NULL,
  since    timestamptz NOT NULL,
  beat     timestamptz NOT NULL,
  until    timestamptz NOT NULL,            -- the epoch lasts till then
  over     boolean NOT NULL DEFAULT false,  -- its leases were given back
  draining boolean NOT NULL DEFAULT false,
  program  text NOT NULL DEFAULT ''
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE message (
  id         bytea PRIMARY KEY,
  slice      int NOT NULL,      -- its chunks are in body_<slice>, or in body_rest if 0
  size       bigint NOT NULL,   -- octets of the content
  chunks     int NOT NULL,
  recipients int NOT NULL,
  open       int NOT NULL,      -- recipients that are not done
  envelope   bytea NOT NULL     -- sealed with the ID
) WITH (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_threshold = 10000);
ALTER TABLE message ALTER envelope SET STORAGE EXTERNAL;

-- Places: 1 fresh, 2 waiting, 3 held, 4 in quarantine, 0 removed by an operator while it was
-- leased, and its owner has still to be told.
CREATE TABLE recipient (
  id          bytea NOT NULL,
  n           int NOT NULL,
  place       smallint NOT NULL,
  due         bigint NOT NULL,
  destination bytea NOT NULL,
  epoch       bigint NOT NULL,   -- of the owner that has it on lease; 0: none
  altered     boolean NOT NULL,  -- by an order that the owner was not told of
  suspect     boolean NOT NULL,
  life        bigint NOT NULL,   -- of the engine that wrote where it stands
  standing    bytea,             -- sealed with the ID; NULL: never tried, no order
  PRIMARY KEY (id, n)
) WITH (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_threshold = 10000);
CREATE INDEX recipient_leased ON recipient (epoch, destination) WHERE epoch <> 0;
CREATE INDEX recipient_fresh ON recipient (id, n) WHERE place = 1 AND epoch = 0;
CREATE INDEX recipient_due ON recipient (destination, due, id, n) WHERE place = 2 AND epoch = 0;
CREATE INDEX recipient_next ON recipient (due) WHERE place = 2 AND epoch = 0;
CREATE INDEX recipient_at ON recipient (destination) WHERE place IN (2, 3);

-- Contents. New ones go to body_<slice>, one table for each hour, which is dropped as a whole;
-- what outlives its slice by an hour is moved here.
CREATE TABLE body_rest (
  id   bytea NOT NULL,
  n    int NOT NULL,
  sum  bigint NOT NULL,  -- CRC-32C of ID, n and data
  data bytea NOT NULL,
  PRIMARY KEY (id, n)
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE body_rest ALTER data SET STORAGE EXTERNAL;

-- The journal: a row is the facts of one message that were recorded together.
CREATE TABLE fact (
  seq   bigint PRIMARY KEY,  -- place of the first one; the others follow it
  id    bytea NOT NULL,
  n     int NOT NULL,
  bytes bigint NOT NULL,
  data  bytea NOT NULL
) WITH (autovacuum_vacuum_cost_delay = 0);
ALTER TABLE fact ALTER data SET STORAGE EXTERNAL;
CREATE INDEX fact_of ON fact (id, seq);

CREATE TABLE state (
  room    bytea NOT NULL,
  key     bytea NOT NULL,
  value   bytea NOT NULL,
  expires bigint NOT NULL,  -- 0: never
  version bigint NOT NULL,
  PRIMARY KEY (room, key)
) WITH (autovacuum_vacuum_cost_delay = 0);
CREATE INDEX state_expires ON state (expires) WHERE expires <> 0;

CREATE TABLE quarantine (id bytea PRIMARY KEY, at bigint NOT NULL, what text NOT NULL);

-- Counts: the sum of all rows. Each transaction adds one, so that none waits for another;
-- the janitor folds them.
CREATE TABLE tally (
  messages bigint NOT NULL, bytes bigint NOT NULL,
  fresh bigint NOT NULL, waiting bigint NOT NULL, held bigint NOT NULL,
  facts bigint NOT NULL, fact_bytes bigint NOT NULL
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

-- A write that is always undone, to see whether there is room.
CREATE TABLE probe (data bytea NOT NULL);

-- now_nanos is the clock of the database.
CREATE FUNCTION now_nanos() RETURNS bigint LANGUAGE sql VOLATILE AS
  $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000 $$;

-- take_places reserves so many places of the journal and returns the first one. Until the transaction
-- ends a lock says that something is to come there, so that readers stop before it. What guards the
-- sequence is a lock of the session, given back at once: nobody waits for another's commit.
CREATE FUNCTION take_places(so_many int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  first bigint;
BEGIN
  PERFORM pg_advisory_lock(hashtext(current_schema()), 2);
  SELECT greatest(last_value + 1, now_nanos()) INTO first FROM place;
  PERFORM pg_advisory_xact_lock_shared(first);
  PERFORM setval('place', first + so_many - 1);
  PERFORM pg_advisory_unlock(hashtext(current_schema()), 2);
  RETURN first;
END $$;

-- places_end is the first place that is not to be read yet.
CREATE FUNCTION places_end() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  past bigint;
  taken bigint;
BEGIN
  SELECT last_value + 1 INTO past FROM place;
  SELECT min((classid::bigint << 32) | objid::bigint) INTO taken FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint >= 268435456; -- such a number is a time after 2006
  RETURN least(past, coalesce(taken, past));
END $$;
