package spooltest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

func journal(d *desk) {
	id, lease := d.commit(spool.Commit{Envelope: envelope("bob@sina.example"), Facts: notes("arrived", "scanned"), For: d.owner}, text)
	d.must(d.Note(d.ctx, notes("a stranger was refused")))
	time.Sleep(time.Second)
	between := time.Now()
	d.must(d.settle(lease, mail.Relayed, "relayed").Err)
	d.must(d.Note(d.ctx, []spool.Fact{{ID: id, At: time.Now(), Data: []byte("remembered")}}))
	if got := d.said(id); got != "arrived, scanned, relayed, remembered" {
		d.Errorf("of the message: %s", got)
	}
	for _, c := range []struct {
		name string
		q    spool.FactQuery
		want string
		more bool
	}{
		{"all", spool.FactQuery{}, "arrived, scanned, a stranger was refused, relayed, remembered", false},
		{"first", spool.FactQuery{Limit: 2}, "arrived, scanned", true},
		{"newest", spool.FactQuery{Newest: true, Limit: 2}, "remembered, relayed", true},
		{"newest of one", spool.FactQuery{ID: id, Newest: true}, "remembered, relayed, scanned, arrived", false},
		{"since", spool.FactQuery{Since: between}, "relayed, remembered", false},
		{"newest since", spool.FactQuery{Since: between, Newest: true}, "remembered, relayed", false},
		{"of one since", spool.FactQuery{ID: id, Since: between}, "relayed, remembered", false},
		{"of nobody", spool.FactQuery{ID: mail.ID{1}}, "", false},
	} {
		page, err := d.Facts(d.ctx, c.q)
		if got := factTexts(page.Facts); err != nil || got != c.want || page.More != c.more {
			d.Errorf("%s: %q, more %v, %v; want %q", c.name, got, page.More, err, c.want)
		}
	}
	d.walk(spool.FactQuery{Limit: 1}, "arrived, scanned, a stranger was refused, relayed, remembered")
	d.walk(spool.FactQuery{Limit: 2, Newest: true}, "remembered, relayed, a stranger was refused, scanned, arrived")
	d.walk(spool.FactQuery{Limit: 3, ID: id}, "arrived, scanned, relayed, remembered")
}

// walk reads the journal page by page.
func (d *desk) walk(q spool.FactQuery, want string) {
	d.Helper()
	var facts []spool.Fact
	for more := true; more; {
		page, err := d.Facts(d.ctx, q)
		d.must(err)
		facts = append(facts, page.Facts...)
		if more = page.More; more {
			q.After = page.Facts[len(page.Facts)-1].Seq
		}
	}
	if got := factTexts(facts); got != want {
		d.Errorf("page by page: %q, want %q", got, want)
	}
}

func statesCompare(d *desk) {
	st := spool.State{Room: "grey", Key: "192.0.2.1 ann bob", Value: []byte("seen")}
	if _, err := d.State(d.ctx, st.Room, st.Key); !errors.Is(err, spool.ErrNotFound) {
		d.Errorf("none: %v", err)
	}
	one, err := d.PutState(d.ctx, st, 0)
	d.must(err)
	if _, err := d.PutState(d.ctx, st, 0); !errors.Is(err, spool.ErrConflict) {
		d.Errorf("put twice: %v", err)
	}
	st.Value = []byte("passed")
	two, err := d.PutState(d.ctx, st, one)
	d.must(err)
	if _, err := d.PutState(d.ctx, st, one); !errors.Is(err, spool.ErrConflict) {
		d.Errorf("over an old version: %v", err)
	}
	got, err := d.State(d.ctx, st.Room, st.Key)
	if err != nil || got.Version != two || !bytes.Equal(got.Value, st.Value) || one == two {
		d.Errorf("read %+v, %v", got, err)
	}
	if _, err := d.State(d.ctx, "other", st.Key); !errors.Is(err, spool.ErrNotFound) {
		d.Errorf("in another room: %v", err)
	}
	st.Value = nil
	if _, err := d.PutState(d.ctx, st, two); err != nil {
		d.Error(err)
	}
	if _, err := d.State(d.ctx, st.Room, st.Key); !errors.Is(err, spool.ErrNotFound) {
		d.Errorf("removed: %v", err)
	}
	for _, bad := range []spool.State{{Key: "k"}, {Room: "r"}, {Room: "r", Key: "k", Value: make([]byte, spool.MaxState+1)}} {
		if _, err := d.PutState(d.ctx, bad, 0); !errors.Is(err, spool.ErrLimit) {
			d.Errorf("%q %q: %v", bad.Room, bad.Key, err)
		}
	}
}

func statesExpire(d *desk) {
	put := func(key string, after time.Duration) uint64 {
		v, err := d.PutState(d.ctx, spool.State{Room: "grey", Key: key, Value: []byte(key), Expires: time.Now().Add(after)}, 0)
		d.must(err)
		return v
	}
	put("short", d.clock.second)
	long := put("long", time.Hour)
	if st, err := d.State(d.ctx, "grey", "short"); err != nil || !st.Expires.After(time.Now()) {
		d.Errorf("%+v, %v", st, err)
	}
	d.wait(d.clock.second)
	if _, err := d.State(d.ctx, "grey", "short"); !errors.Is(err, spool.ErrNotFound) {
		d.Errorf("expired: %v", err)
	}
	if list, err := d.States(d.ctx, "grey", "", 10); err != nil || len(list) != 1 || list[0].Version != long {
		d.Errorf("listed: %+v, %v", list, err)
	}
	put("short", time.Hour) // an expired one stands for none
}

func statesListed(d *desk) {
	for _, room := range []string{"a", "ab", "b"} {
		for i := range 5 {
			_, err := d.PutState(d.ctx, spool.State{Room: room, Key: fmt.Sprint("k", i), Value: []byte{}}, 0)
			d.must(err)
		}
	}
	var got []string
	after := ""
	for {
		list, err := d.States(d.ctx, "a", after, 2)
		d.must(err)
		if len(list) == 0 {
			break
		}
		for _, st := range list {
			got = append(got, st.Room+st.Key)
			after = st.Key
		}
	}
	if s := fmt.Sprint(got); s != "[ak0 ak1 ak2 ak3 ak4]" {
		d.Errorf("listed %s", s)
	}
}
