//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
)

// bench is how rounds are done.
type bench struct {
	tools load.Tools
	dir   string        // servers run below it
	each  time.Duration // about how long a load takes
	limit time.Duration // of a round

	watched bool // standard error is a terminal
}

// round is one measurement of one server.
type round struct {
	Work    string  `json:"workload"`
	Peer    string  `json:"peer"`
	Number  int     `json:"round"`
	Figures figures `json:"figures,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// rounds measures all peers in turn, and again. A round that fails is told and
// does not stop the others.
func (b bench) rounds(ctx context.Context, w workload, peers []peer, reps int) []round {
	var done []round
	for number := range reps {
		for _, p := range peers {
			if !p.knows(w.mode) || ctx.Err() != nil {
				continue
			}
			b.progress("%s: %s, round %d of %d", w.name, p.name(), number+1, reps)
			r := round{Work: w.name, Peer: p.name(), Number: number + 1}
			var err error
			if r.Figures, err = w.measure(ctx, b, p, w); err != nil {
				r.Error = err.Error()
				b.progress("")
				fmt.Fprintf(os.Stderr, "%s: %s, round %d: %v\n", w.name, p.name(), number+1, err)
			}
			done = append(done, r)
		}
	}
	b.progress("")
	return done
}

// progress replaces the line that says what is done, where a person looks on.
func (b bench) progress(format string, args ...any) {
	if b.watched {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
	}
}

// running is a server in one round.
type running struct {
	*warden.Server
	place
	tools load.Tools
	sink  *load.Taker // nil if nothing is relayed
}

// start starts a server on an empty directory, and a sink where one is needed.
// The caller must call end.
func (b bench) start(ctx context.Context, who peer, m mode, sessions int) (r *running, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	dir, err := apart(b.dir, who.name())
	if err != nil {
		return nil, err
	}
	r = &running{tools: b.tools, place: place{
		mode: m, dir: dir, port: ports[0], sinkPort: ports[1], sessions: sessions, nodes: 1,
	}}
	if many, is := who.(interface{ doors() int }); is {
		r.nodes = many.doors()
	}
	defer func() {
		if err != nil {
			r.end()
		}
	}()
	if m.relays() {
		if err := r.takeMail(ctx); err != nil {
			return nil, err
		}
	}
	if m == secure {
		if err := load.Certificate(r.chain(), r.key()); err != nil {
			return nil, err
		}
	}
	r.Server, err = open(ctx, who, r.place)
	return r, err
}

// takeMail starts the sink.
func (r *running) takeMail(ctx context.Context) (err error) {
	if r.sink, err = r.tools.Take(r.place.sink()); err != nil {
		return err
	}
	return load.Answers(ctx, r.place.sink())
}

// end ends the server and removes what it wrote.
func (r *running) end() {
	if r.Server != nil {
		r.Stop()
	}
	if r.sink != nil {
		r.sink.Close()
	}
	_ = os.RemoveAll(r.dir)
	_ = os.RemoveAll(r.dir + ".output")
}

// send gives the server a load.
func (r *running) send(ctx context.Context, l load.Load) (load.Sent, error) {
	return r.tools.SendEach(ctx, l, r.doors())
}

// warm is how many messages come before the measurement: processes are started
// and caches are filled by then.
const warm = 500

// warmUp sends some messages, and tells how many follow so that they take about
// the time of a round.
func (r *running) warmUp(ctx context.Context, l load.Load, each time.Duration) (load.Load, error) {
	w := l
	w.Messages = min(warm, l.Messages)
	if _, err := r.send(ctx, w); err != nil { // the first processes start
		return l, err
	}
	sent, err := r.send(ctx, w)
	if err != nil {
		return l, err
	}
	l.Messages = enough(w.Messages, sent.Took, each, l.Messages)
	return l, nil
}

// enough is how many messages take about the time each, at the rate of n in took.
func enough(n int, took, each time.Duration, most int) int {
	return min(max(int(float64(n)*each.Seconds()/took.Seconds()), warm), most)
}
