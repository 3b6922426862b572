package spooltest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// counter is the engine, if it adds up what nodes count.
func (d *desk) counter() spool.Counter {
	c, is := d.Engine.(spool.Counter)
	d.need(is)
	return c
}

func (d *desk) count(room string, since time.Time, counted ...spool.Counted) (map[string]time.Duration, time.Time) {
	d.Helper()
	list, mark, err := d.counter().Count(d.ctx, room, counted, since)
	d.must(err)
	all := map[string]time.Duration{}
	for _, c := range list {
		all[c.Key] = c.Left
	}
	return all, mark
}

// about holds that a count is what was added, but for what has run off in a test.
func about(t testing.TB, got, want time.Duration) {
	t.Helper()
	if got > want || got < want-time.Minute {
		t.Errorf("%v is left of %v", got, want)
	}
}

func countsAddUp(d *desk) {
	all, _ := d.count("room", time.Time{}, spool.Counted{Key: "ann", By: time.Hour}, spool.Counted{Key: "bob", By: time.Hour})
	about(d, all["ann"], time.Hour)
	all, _ = d.count("room", time.Time{}, spool.Counted{Key: "ann", By: 2 * time.Hour})
	about(d, all["ann"], 3*time.Hour)
	about(d, all["bob"], time.Hour)
	all, _ = d.count("room", time.Time{}, spool.Counted{Key: "bob", By: -2 * time.Hour})
	if all["bob"] != 0 {
		d.Errorf("taken back: %v", all)
	}
	all, _ = d.count("room", time.Time{}, spool.Counted{Key: "bob", By: time.Hour})
	about(d, all["bob"], time.Hour) // what is below nothing is nothing
	if all, _ = d.count("another", time.Time{}); len(all) != 0 {
		d.Errorf("in another room: %v", all)
	}
	short := d.clock.second
	d.count("short", time.Time{}, spool.Counted{Key: "eve", By: short})
	d.wait(short + short/4)
	if all, _ = d.count("short", time.Time{}); all["eve"] != 0 {
		d.Errorf("after its time: %v", all)
	}
	_, _, err := d.counter().Count(d.ctx, "room", []spool.Counted{{Key: string(make([]byte, spool.MaxName+1))}}, time.Time{})
	if !errors.Is(err, spool.ErrLimit) {
		d.Errorf("a long key: %v", err)
	}
}

func countsSince(d *desk) {
	_, mark := d.count("room", time.Time{}, spool.Counted{Key: "ann", By: time.Hour})
	for i := range 5 {
		d.count("room", mark, spool.Counted{Key: fmt.Sprint("k", i), By: time.Hour})
	}
	all, mark := d.count("room", mark)
	if len(all) != 6 {
		d.Errorf("since the first: %v", all)
	}
	d.wait(spool.Hindsight + 2*d.clock.second)
	_, mark = d.count("room", mark)
	d.wait(d.clock.second)
	all, _ = d.count("room", mark, spool.Counted{Key: "eve", By: time.Hour})
	if len(all) != 1 || all["eve"] == 0 {
		d.Errorf("since the last: %v", all)
	}
}
