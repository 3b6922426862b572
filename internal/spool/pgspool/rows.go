package pgspool

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// recordVersion is the first octet of envelopes and standings.
const recordVersion = 1

// Places of a row beside those of the contract.
const (
	removed     spool.Place = 0 // while it was leased, and its owner has still to be told
	quarantined spool.Place = 4
)

// row is a recipient as its table has it.
type row struct {
	ref         spool.Ref
	place       spool.Place
	due         int64
	destination string
	epoch       uint64
	altered     bool
	suspect     bool
	life        int64
	standing    []byte
}

// Rows are found by name in a way that leaves the planner no choice: each name is looked up
// in the primary key. Otherwise, while it thinks little of a table, it reads the table for each name.
// What is changed is locked in a statement before, so that its place (ctid) stays what it is.
const (
	// eachNamed stands for the rows with the names $1 and $2, in their order.
	eachNamed = `unnest($1::bytea[], $2::int[]) AS u (id, n), LATERAL (SELECT x.ctid AS at, x.epoch, x.place FROM recipient x WHERE x.id = u.id AND x.n = u.n OFFSET 0) found`
	// lockNamed locks them, in their order, so that nobody waits in a circle.
	lockNamed = `SELECT count(*) FROM unnest($1::bytea[], $2::int[]) AS u (id, n), LATERAL (SELECT FROM recipient x WHERE x.id = u.id AND x.n = u.n FOR UPDATE) found`
	// readNamed locks them and reads them with what is known of their messages.
	readNamed = "SELECT " + rowColumns + `, coalesce(m.size, 0), coalesce(m.recipients, 0), r.by
		FROM unnest($1::bytea[], $2::int[]) AS u (id, n), LATERAL (SELECT *, x.xmin AS by FROM recipient x WHERE x.id = u.id AND x.n = u.n FOR UPDATE) r
		LEFT JOIN LATERAL (SELECT y.size, y.recipients FROM message y WHERE y.id = r.id OFFSET 0) m ON true`
	// readWritten reads what tells whether a transaction has changed them.
	readWritten = `SELECT u.id, u.n, found.epoch, found.altered, found.by
		FROM unnest($1::bytea[], $2::int[]) AS u (id, n), LATERAL (SELECT x.epoch, x.altered, x.xmin AS by FROM recipient x WHERE x.id = u.id AND x.n = u.n OFFSET 0) found`
)

// rowColumns are what scanRow reads.
const rowColumns = "r.id, r.n, r.place, r.due, r.destination, r.epoch, r.altered, r.suspect, r.life, r.standing"

func scanRow(from pgx.CollectableRow) (*row, error) {
	var r row
	var id, destination []byte
	var n int32
	var place int16
	var epoch int64
	err := from.Scan(&id, &n, &place, &r.due, &destination, &epoch, &r.altered, &r.suspect, &r.life, &r.standing)
	if err != nil {
		return nil, err
	}
	if len(id) != len(r.ref.ID) {
		return nil, fmt.Errorf("an id of %d octets is none", len(id))
	}
	r.ref = spool.Ref{ID: mail.ID(id), Recipient: int(n)}
	r.place, r.destination, r.epoch = spool.Place(place), string(destination), uint64(epoch)
	return &r, nil
}

// stands is where the recipient stands. An error means that its record is damaged.
func (s *Spool) stands(r *row) (spool.Standing, error) {
	st := spool.Standing{Recipient: r.ref.Recipient, Destination: r.destination}
	if r.place == spool.Waiting {
		st.Due = spool.Instant(r.due)
	}
	if r.standing != nil {
		var err error
		if st, err = readStanding(r.ref, r.standing); err != nil {
			return st, err
		}
	}
	st.Held, st.Suspect = r.place == spool.Held, s.suspects(r)
	return st, nil
}

// suspects reports whether the recipient may have been tried without our knowing.
func (s *Spool) suspects(r *row) bool {
	d := s.doubt.Load()
	return r.suspect || r.life <= d.life && (r.place == spool.Fresh || r.due <= d.until)
}

func sealStanding(ref spool.Ref, st *spool.Standing) []byte {
	return spool.Seal(spool.AppendStanding([]byte{recordVersion}, st), ref.ID[:])
}

func readStanding(ref spool.Ref, record []byte) (spool.Standing, error) {
	record, err := spool.Unseal(record, ref.ID[:])
	if err != nil {
		return spool.Standing{}, err
	}
	if len(record) == 0 || record[0] != recordVersion {
		return spool.Standing{}, spool.ErrRecord
	}
	return spool.ReadStanding(record[1:], ref.Recipient)
}

func readEnvelope(id mail.ID, record []byte, size int64, recipients int32) (*mail.Envelope, error) {
	record, err := spool.Unseal(record, id[:])
	if err != nil {
		return nil, err
	}
	if len(record) == 0 || record[0] != recordVersion {
		return nil, spool.ErrRecord
	}
	env, err := spool.ReadEnvelope(record[1:], int(recipients))
	if err != nil {
		return nil, err
	}
	env.ID, env.Size = id, size
	return env, nil
}

// rows are recipients as arrays, a column each.
type rows struct {
	ids          [][]byte
	ns           []int32
	places       []int16
	dues         []int64
	destinations [][]byte
	suspects     []bool
	standings    [][]byte
}

func newRows(n int) *rows {
	return &rows{
		ids: make([][]byte, 0, n), ns: make([]int32, 0, n), places: make([]int16, 0, n),
		dues: make([]int64, 0, n), destinations: make([][]byte, 0, n),
	}
}

// add appends a row with its new standing; nil: it has none yet.
func (a *rows) add(r *row, st *spool.Standing) {
	a.name(r.ref)
	a.places, a.dues, a.destinations = append(a.places, int16(r.place)), append(a.dues, r.due), append(a.destinations, []byte(r.destination))
	a.suspects = append(a.suspects, r.suspect)
	if st != nil {
		a.standings = append(a.standings, sealStanding(r.ref, st))
	} else {
		a.standings = append(a.standings, nil)
	}
}

// names are those of some recipients, in order.
func names(refs []spool.Ref) *rows {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, compareRefs)
	var r rows
	for _, ref := range slices.Compact(refs) {
		r.name(ref)
	}
	return &r
}

// name appends only which recipient it is.
func (a *rows) name(ref spool.Ref) {
	a.ids, a.ns = append(a.ids, ref.ID[:]), append(a.ns, int32(ref.Recipient))
}

// placeOf is where a recipient is put that stands so.
func placeOf(st *spool.Standing) spool.Place {
	switch {
	case st.Fate.Final():
		return removed
	case st.Held:
		return spool.Held
	}
	return spool.Waiting
}
