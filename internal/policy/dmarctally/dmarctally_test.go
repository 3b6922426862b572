package dmarctally

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dmarcrpt"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

func record(source, disposition string) dmarcrpt.Record {
	return dmarcrpt.Record{Row: dmarcrpt.Row{Source: source, Count: 1, Disposition: disposition}}
}

func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memspool.New(memspool.Options{Random: rand.NewChaCha8([32]byte{1})})
		defer engine.Close()
		tally := New(engine)
		sina := dmarcrpt.Published{Domain: "sina.com", P: "reject"}
		note := func(r dmarcrpt.Record) { tally.Note(t.Context(), time.Now(), sina, []string{"mailto:a@sina.com"}, r) }
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { note(record("192.0.2.7", "none")) })
		}
		all.Wait()
		note(record("192.0.2.7", "reject"))
		for i := range 300 {
			note(record(fmt.Sprintf("10.0.%d.%d", i/256, i%256), "none"))
		}
		if got, err := tally.Before(t.Context(), time.Now()); err != nil || len(got) != 0 {
			t.Errorf("before the day is over: %v %v", got, err)
		}
		time.Sleep(24 * time.Hour)
		got, err := tally.Before(t.Context(), time.Now())
		if err != nil || len(got) != 1 {
			t.Fatalf("%v %v", got, err)
		}
		c := &got[0]
		if v := &c.Value; c.Name != "sina.com" || v.Policy.P != "reject" || len(v.Records) != maxRecords || v.Records[0].Row.Count != 10 || v.More != 302-maxRecords {
			t.Errorf("%s %+v: %d records, the first of %d, %d more", c.Name, v.Policy, len(v.Records), v.Records[0].Row.Count, v.More)
		}
		if err := tally.Done(t.Context(), c); err != nil {
			t.Error(err)
		}
		if got, err := tally.Before(t.Context(), time.Now()); err != nil || len(got) != 0 {
			t.Errorf("when it is done: %v %v", got, err)
		}
	})
}

// TestDomainsAreBounded: whoever has a policy for every name cannot fill the spool.
func TestDomainsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := &Tally{}
		taken := 0
		for i := range maxDomains + 100 {
			if tally.hasRoom(time.Now(), fmt.Sprint(i)) {
				taken++
			}
		}
		if taken != maxDomains || !tally.hasRoom(time.Now(), "1") || !tally.hasRoom(time.Now().AddDate(0, 0, 1), "x") {
			t.Errorf("%d domains", taken)
		}
	})
}

// TestACountIsBounded: what is too long for a state is counted, and not told.
func TestACountIsBounded(t *testing.T) {
	engine := memspool.New(memspool.Options{Random: rand.NewChaCha8([32]byte{1})})
	defer engine.Close()
	tally := New(engine)
	for i := range 20 {
		r := record(fmt.Sprintf("10.0.0.%d", i), "none")
		r.Results.SPF = []dmarcrpt.Sender{{Domain: strings.Repeat("a", 10_000)}}
		tally.Note(t.Context(), time.Now(), dmarcrpt.Published{Domain: "sina.com"}, nil, r)
	}
	got, err := tally.Before(t.Context(), time.Now().AddDate(0, 0, 1))
	if err != nil || len(got) != 1 || len(got[0].Value.Records) != 6 || got[0].Value.More != 14 {
		t.Errorf("%v, of which %+v", err, got)
	}
}
