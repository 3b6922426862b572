package pgspool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/posthouse/posthouse/internal/spool"
)

// Open connects to the database, checks that its tables are those of this program and
// that it can keep the promise that is asked for, and returns the engine. DSN is
// postgres://USER:PASSWORD@HOST[,HOST]/DATABASE or the like; no error has it.
func Open(ctx context.Context, dsn string, opts Options) (*Spool, error) {
	opts = opts.withDefaults()
	s, err := open(ctx, dsn, opts)
	if err != nil {
		return nil, fmt.Errorf("open the spool in PostgreSQL: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, dsn string, opts Options) (*Spool, error) {
	c, err := config(dsn, &opts)
	if err != nil {
		return nil, err
	}
	s := &Spool{
		opts: opts, arrivals: make(chan *arrival), owners: map[spool.Owner]bool{},
	}
	s.pulse.kick, s.wakers.words = make(chan struct{}, 1), make(chan string, 64)
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.working, s.halt = context.WithCancel(s.ctx)
	if s.pool, err = pgxpool.NewWithConfig(s.ctx, c); err != nil {
		s.cancel()
		return nil, told(err)
	}
	if err := s.begin(ctx); err != nil {
		s.cancel()
		s.pool.Close()
		return nil, err
	}
	s.start()
	return s, nil
}

func (s *Spool) start() {
	for range clerks {
		s.clerks.Go(s.clerk)
	}
	s.workers.Go(s.watch)
	s.workers.Go(s.keepHouse)
	s.workers.Go(s.listen)
	s.workers.Go(s.announce)
}

// begin checks the database and starts a new life.
func (s *Spool) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	found, err := readVersion(ctx, s.pool)
	switch {
	case err != nil:
		return told(err)
	case found > version:
		return newer(found)
	case found == 0:
		return errors.New("there is no spool in this database: make one with \"posthouse spool migrate\"")
	case found < version:
		return fmt.Errorf("its tables have version %d, and this program wants %d: run \"posthouse spool migrate\"", found, version)
	}
	if err := s.checkDurability(ctx); err != nil {
		return err
	}
	if err := s.writeOnce(ctx, s.newLife); err != nil {
		return told(err)
	}
	return s.makeSlices(ctx)
}

// newLife takes a number, and puts right what a node of this name left that was not closed.
func (s *Spool) newLife(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext(current_schema()), 3)"); err != nil {
		return err
	}
	if s.opts.Node != "" {
		if err := s.endFormer(ctx, tx); err != nil {
			return err
		}
	}
	d := new(doubt)
	err := tx.QueryRow(ctx, "SELECT coalesce(max(life), 0), coalesce(max(until), 0) FROM doubt").Scan(&d.life, &d.until)
	if err != nil {
		return err
	}
	s.doubt.Store(d)
	return tx.QueryRow(ctx, "SELECT nextval('life')").Scan(&s.life)
}

// endFormer ends the epochs of a former process of this node. If no other node lives,
// it was an unclean stop of the whole spool, and whatever may have been tried is suspect.
func (s *Spool) endFormer(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "SELECT name, epoch FROM node WHERE host = $1 AND NOT over ORDER BY name", []byte(s.opts.Node))
	if err != nil {
		return err
	}
	former, err := pgx.CollectRows(rows, scanOwner)
	if err != nil || len(former) == 0 {
		return err
	}
	for _, owner := range former {
		if _, err := endEpoch(ctx, tx, owner, true); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `
		WITH gone AS (DELETE FROM doubt)
		INSERT INTO doubt SELECT last_value, now_nanos() FROM life
		WHERE NOT EXISTS (SELECT FROM node WHERE NOT over AND until > clock_timestamp() AND host <> $1)`, []byte(s.opts.Node))
	return err
}

func scanOwner(row pgx.CollectableRow) (spool.Owner, error) {
	var name []byte
	var epoch int64
	err := row.Scan(&name, &epoch)
	return spool.Owner{Name: string(name), Epoch: uint64(epoch)}, err
}

// checkDurability refuses a database that gives less than is asked for.
func (s *Spool) checkDurability(ctx context.Context) error {
	var commit, standbys, fsync, pages, vacuum string
	var standby, may bool
	var now time.Time
	began := time.Now()
	err := s.pool.QueryRow(ctx, `
		SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), current_setting('fsync'),
			current_setting('full_page_writes'), pg_is_in_recovery(), pg_has_role('pg_read_all_stats', 'USAGE'), clock_timestamp(),
			current_setting('autovacuum')`).
		Scan(&commit, &standbys, &fsync, &pages, &standby, &may, &now, &vacuum)
	switch {
	case err != nil:
		return told(err)
	case standby:
		return errReadOnly
	case (fsync != "on" || pages != "on") && !s.opts.mayLose:
		return fmt.Errorf("fsync is %s and full_page_writes is %s: a power cut would lose mail that was acknowledged; set both on in postgresql.conf", fsync, pages)
	case commit != "on" && commit != "remote_apply" && s.opts.Durability == Synchronous, commit == "off":
		return fmt.Errorf("synchronous_commit is %s, by the address of the database: it must be on", commit)
	case s.opts.Durability == Primary:
	case standbys == "":
		return errors.New("it has no synchronous standby: set synchronous_standby_names in postgresql.conf, or " +
			"durability = \"primary\" in the spool's block, if mail may be lost with the primary's disk")
	case !may:
		return errors.New("the role may not see whether the standby is there: GRANT pg_monitor TO it")
	}
	if err := s.checkStandby(ctx); err != nil {
		return err
	}
	if vacuum != "on" {
		s.opts.Log.Warn("autovacuum is off: the tables of the spool will grow without end; set it on in postgresql.conf")
	}
	s.tellSkew(now, began)
	return nil
}

// maxSkew is how far the clocks of a node and of the database may be apart before it is told.
const maxSkew = 3 * time.Second

// tellSkew compares the clock of the database with ours.
func (s *Spool) tellSkew(theirs, began time.Time) {
	ours := began.Add(time.Since(began) / 2)
	if skew := ours.Sub(theirs); skew > maxSkew || skew < -maxSkew {
		s.opts.Log.Warn("the clock of this node differs from the clock of the database: mail is retried too early or too late; run NTP on both",
			"ahead", skew.Round(time.Millisecond))
	}
}
