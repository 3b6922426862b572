package pgspool

import (
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// FuzzRows: whatever is in a column, reading it ends without harm, and takes no more than there is.
func FuzzRows(f *testing.F) {
	id := mail.ID{1, 2, 3}
	f.Add([]byte("\x01"))
	f.Add(sealStanding(spool.Ref{ID: id}, &spool.Standing{Fate: mail.Deferred, Destination: "mx"}))
	one := note{id, []spool.Fact{{Data: []byte("arrived")}, {Data: []byte("relayed")}}}
	data, _ := one.record()
	f.Add(data)
	f.Fuzz(func(t *testing.T, record []byte) {
		sealed := spool.Seal(append([]byte{recordVersion}, record...), id[:])
		if env, err := readEnvelope(id, sealed, 7, 1); err == nil && (env.ID != id || env.Size != 7 || len(env.To) != 1) {
			t.Errorf("%+v", env)
		}
		if st, err := readStanding(spool.Ref{ID: id, Recipient: 2}, sealed); err == nil && st.Recipient != 2 {
			t.Errorf("%+v", st)
		}
		if _, err := readStanding(spool.Ref{ID: mail.ID{9}}, sealed); err == nil {
			t.Error("a record under a wrong ID is one")
		}
		facts, err := cutFacts(7, id[:], record)
		var all []byte
		for i := range facts {
			all = append(all, facts[i].Data...)
		}
		if err == nil && (len(all) > len(record) || len(facts) > len(record)) {
			t.Errorf("%d facts of %d octets from %d", len(facts), len(all), len(record))
		}
	})
}
