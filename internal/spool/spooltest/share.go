package spooltest

import (
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// sharer is the engine, if its owners keep to limits together.
func (d *desk) sharer() spool.Sharer {
	s, is := d.Engine.(spool.Sharer)
	d.need(is)
	return s
}

// ask asks for one thing.
func (d *desk) ask(o spool.Owner, a spool.Ask) spool.Grant {
	d.Helper()
	if a.Name == "" {
		a.Name = "sina.example"
	}
	g, err := d.sharer().Share(d.ctx, o, []spool.Ask{a})
	d.must(err)
	return g[0]
}

// places asks for places of one thing, and holds how many may be used.
func (d *desk) places(o spool.Owner, limit, busy, want, expect int) {
	d.Helper()
	if g := d.ask(o, spool.Ask{Limit: limit, Busy: busy, Want: want}); g.Places != expect {
		d.Errorf("%s uses %d of %d and wants %d: it has %d, want %d", o.Name, busy, limit, want, g.Places, expect)
	}
}

func shareWhole(d *desk) {
	one, two := d.owner, d.join("node-2")
	d.places(one, 5, 0, 9, 5)
	d.places(two, 5, 0, 0, 0)
	d.places(one, 5, 5, 5, 5)
	d.places(one, 5, 0, 0, 0) // given back
	d.places(two, 5, 0, 5, 5)
	if g := d.ask(one, spool.Ask{Name: "sohu.example", Limit: 3, Want: 3}); g.Places != 3 {
		d.Errorf("of something else: %d", g.Places)
	}
}

func shareEvenly(d *desk) {
	if d.clock.real {
		d.Skip("a wish is forgotten when the machine is slow")
	}
	one, two := d.owner, d.join("node-2")
	d.places(one, 6, 0, 6, 6)
	d.places(two, 6, 0, 6, 0) // there is none, but the wish is heard
	d.places(one, 6, 5, 6, 3) // it uses more, and nobody takes that from it
	d.places(two, 6, 0, 6, 1)
	d.places(one, 6, 3, 6, 3)
	d.places(two, 6, 1, 6, 3)
	d.places(two, 6, 3, 4, 3)
	d.places(one, 6, 1, 1, 1) // who has less use leaves the rest
	d.places(two, 6, 3, 6, 5)
}

func shareOne(d *desk) {
	owners := []spool.Owner{d.owner, d.join("node-2"), d.join("node-3")}
	has := 0
	for range 2 {
		has = 0
		for _, o := range owners {
			has += d.ask(o, spool.Ask{Limit: 1, Want: 1}).Places
		}
	}
	if has > 1 || has < 1 && !d.clock.real { // whose turn it is may change between two calls
		d.Errorf("three nodes have %d places of one", has)
	}
}

func shareNeverMore(d *desk) {
	owners := []spool.Owner{d.owner, d.join("node-2"), d.join("node-3")}
	held := make([]int, len(owners))
	for round := range 60 {
		i := round * 7 % len(owners)
		busy := held[i] * (round % 3) / 2
		held[i] = max(busy, d.ask(owners[i], spool.Ask{Limit: 7, Busy: min(busy, held[i]), Want: round % 9}).Places)
		if sum := held[0] + held[1] + held[2]; sum > 7 {
			d.Fatalf("round %d: %v places of 7", round, held)
		}
	}
}

func shareOfTheDead(d *desk) {
	one := d.owner
	d.places(one, 2, 0, 2, 2)
	two := d.join("node-2")
	d.places(two, 2, 0, 2, 0)
	again := d.join("node-1") // it begins anew, and what it had is free
	d.places(two, 2, 0, 2, 2)
	d.places(again, 2, 0, 2, 0)
	if _, err := d.sharer().Share(d.ctx, one, []spool.Ask{{Name: "sina.example", Limit: 2, Want: 2}}); !errors.Is(err, spool.ErrLeaseLost) {
		d.Errorf("an epoch that is over: %v", err)
	}
}

func shareOfTheSilent(d *desk) {
	silent := d.join("node-2")
	d.places(silent, 2, 0, 2, 2)
	d.places(d.owner, 2, 0, 2, 0)
	d.wait(d.ttl() + d.clock.second)
	d.places(d.owner, 2, 0, 2, 2)
}

func shareTurns(d *desk) {
	const space = time.Hour
	one, two := d.owner, d.join("node-2")
	first := d.ask(one, spool.Ask{Space: space, Turns: 2})
	if first.Turns != 2 || first.After > 0 {
		d.Errorf("the first turns: %+v", first)
	}
	second := d.ask(two, spool.Ask{Space: space, Turns: 1})
	if second.Turns != 1 || second.After > 2*space || second.After < 2*space-time.Minute {
		d.Errorf("the turns of another: %+v", second)
	}
	if g := d.ask(one, spool.Ask{Space: time.Second, Turns: 1}); g.After > 10*time.Second {
		d.Errorf("a limit that was raised: %+v", g)
	}
}

func shareTooMuch(d *desk) {
	s := d.sharer()
	for _, asks := range [][]spool.Ask{{{}}, {{Name: string(make([]byte, spool.MaxName+1))}}, make([]spool.Ask, spool.MaxAsks+1)} {
		if _, err := s.Share(d.ctx, d.owner, asks); !errors.Is(err, spool.ErrLimit) {
			d.Errorf("%d asks: %v", len(asks), err)
		}
	}
	if g, err := s.Share(d.ctx, d.owner, nil); err != nil || len(g) != 0 {
		d.Errorf("nothing asked: %v, %v", g, err)
	}
}
