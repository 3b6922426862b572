package queue_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/smtp"
)

var update = flag.Bool("update", false, "write what happens into the scripts, to be read before it is committed")

// TestScripts plays the stories in testdata. See testdata/README for how to
// read them.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			compareLines(t, file, string(want), got)
		})
	}
}

func compareLines(t *testing.T, file, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			t.Fatalf("%s:%d:\n written   %s\n happened  %s", file, i+1, a, b)
		}
	}
}

// play carries out the commands of a script, and returns it with what happened
// under each.
func play(t *testing.T, text string) string {
	t.Helper()
	p := &player{
		t: t, now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), hosts: map[string]string{},
		flights: map[uint64]queue.Delivery{}, jobs: map[mail.ID]queue.Job{},
	}
	p.options.Seed = 1
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&p.out, line)
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(line, "#") {
			p.line = n + 1
			p.do(words)
		}
	}
	return p.out.String()
}

// player is a small world around a schedule.
type player struct {
	t       *testing.T
	line    int
	out     bytes.Buffer
	now     time.Time
	options queue.Options
	s       *queue.Schedule
	hosts   map[string]string // what a destination answers
	flights map[uint64]queue.Delivery
	want    queue.Want
	jobs    map[mail.ID]queue.Job
	spool   []waiting // what has left the window, and comes back
}

// waiting is a recipient in the spool.
type waiting struct {
	id    mail.ID
	to    queue.Recipient
	again time.Time
}

func (p *player) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("line %d: %s", p.line, fmt.Sprintf(format, args...))
}

func (p *player) sayf(format string, args ...any) {
	fmt.Fprintf(&p.out, "> "+format+"\n", args...)
}

func (p *player) do(words []string) {
	p.t.Helper()
	args, named := splitNamed(words[1:])
	switch words[0] {
	case "options":
		p.configure(&p.options.Default, named)
		if p.s != nil {
			p.s.Reload(p.now, p.options)
		}
		return
	case "route":
		if p.options.Routes == nil {
			p.options.Routes = map[string]queue.Route{}
		}
		r := p.options.Routes[args[0]]
		p.configure(&r, named)
		p.options.Routes[args[0]] = r
		return
	case "host":
		p.hosts[args[0]] = args[1]
		return
	case "wait":
		p.now = p.now.Add(p.duration(args[0]))
		return
	}
	if p.s == nil {
		p.s = queue.New(p.options)
	}
	switch words[0] {
	case "add":
		p.add(args, named)
	case "next":
		p.next(false)
	case "run":
		p.run(p.duration(args[0]))
	case "settle":
		p.settleLine(args)
	case "order":
		p.order(args)
	case "want":
		p.wants()
	case "exhausted":
		p.s.Exhausted(p.want)
	case "status":
		p.status(args[0])
	case "wake":
		p.sayf("%s", p.clock(p.wake()))
	case "remove":
		p.spool = slices.DeleteFunc(p.spool, func(w waiting) bool { return w.id == p.id(args[0]) })
	default:
		p.fatalf("%q is no command", words[0])
	}
}

func splitNamed(words []string) (args []string, named map[string]string) {
	named = map[string]string{}
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok && name[0] >= 'a' {
			named[name] = value
		} else {
			args = append(args, w)
		}
	}
	return args, named
}

func (p *player) configure(r *queue.Route, named map[string]string) {
	for name, v := range named {
		switch name {
		case "window":
			p.options.Window = p.number(v)
		case "deliveries":
			p.options.Deliveries = p.number(v)
		case "batch":
			r.Batch = p.number(v)
		case "start":
			r.Start = p.number(v)
		case "warn":
			r.Warn = p.duration(v)
		case "expire":
			r.Expire = p.duration(v)
		case "retry":
			r.Retry = p.retry(v)
		case "probe":
			r.Probe = p.retry(v)
		case "all":
			r.All = p.limits(v)
		case "site":
			r.Site = p.limits(v)
		case "destination":
			r.Destination = p.limits(v)
		default:
			p.fatalf("%q is no option", name)
		}
	}
}

func (p *player) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.fatalf("%v", err)
	}
	return n
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.fatalf("%v", err)
	}
	return d
}

func (p *player) retry(s string) queue.Retry {
	r, err := queue.ParseRetry(strings.Split(s, ",")...)
	if err != nil {
		p.fatalf("%v", err)
	}
	return r
}

// limits reads "4" or "4,60/1h".
func (p *player) limits(s string) (l queue.Limits) {
	deliveries, rate, _ := strings.Cut(s, ",")
	l.Deliveries = p.number(deliveries)
	if rate != "" {
		n, per, _ := strings.Cut(rate, "/")
		l.Rate, l.Per = p.number(n), p.duration(per)
	}
	return l
}

// id is the message called m17.
func (p *player) id(name string) (id mail.ID) {
	n := p.number(strings.TrimPrefix(name, "m"))
	id[10], id[11] = byte(n>>8), byte(n)
	return id
}

func name(id mail.ID) string { return fmt.Sprintf("m%d", int(id[10])<<8|int(id[11])) }

func hop(destination, route string) mail.Hop {
	return mail.Hop{Route: route, Transport: "remote", Destination: destination}
}

func (p *player) add(args []string, named map[string]string) {
	j := queue.Job{Message: p.id(args[0]), Sender: args[1], Null: args[1] == "<>", Arrived: p.now}
	st := queue.State{}
	notify, site, route := smtp.Notify(0), "", "mx"
	for key, v := range named {
		switch key {
		case "priority":
			j.Priority = p.number(v)
		case "arrived":
			j.Arrived = p.now.Add(p.duration(v))
		case "hold":
			j.Hold = p.now.Add(p.duration(v))
		case "by":
			within, mode, _ := strings.Cut(v, ";")
			j.By, j.ByMode = p.now.Add(p.duration(within)), smtp.ByMode(mode[0])
			j.ByTrace = strings.HasSuffix(mode, "T")
		case "notify":
			notify = notifyOf(v)
		case "site":
			site = v
		case "route":
			route = v
		case "tries":
			st.Tries = p.number(v)
		case "next":
			st.Next = p.now.Add(p.duration(v))
		default:
			p.fatalf("%q is nothing of a message", key)
		}
	}
	for _, a := range args[2:] {
		destination, list, _ := strings.Cut(a, ":")
		for _, i := range p.indices(list) {
			j.To = append(j.To, queue.Recipient{Index: i, Hop: hop(destination, route), Site: site, Notify: notify, State: st})
		}
	}
	p.jobs[j.Message] = j
	if refused := p.s.Add(p.now, j); len(refused) > 0 {
		p.sayf("not taken: %v", refused)
	}
}

// lease brings back those whose time has come, as far as there is room.
func (p *player) lease() {
	p.spool = slices.DeleteFunc(p.spool, func(w waiting) bool {
		if w.again.After(p.now) {
			return false
		}
		j := p.jobs[w.id]
		j.To = []queue.Recipient{w.to}
		return len(p.s.Add(p.now, j)) == 0
	})
}

// keep does what a spool does with a decision.
func (p *player) keep(d queue.Decision) {
	for _, c := range d.Changes {
		if c.Fate != mail.Deferred {
			continue
		}
		j := p.jobs[d.Message]
		i := slices.IndexFunc(j.To, func(to queue.Recipient) bool { return to.Index == c.Recipient })
		to := j.To[i]
		to.State = c.State
		p.spool = append(p.spool, waiting{d.Message, to, c.Again})
	}
}

// indices reads "0,1,4-6".
func (p *player) indices(s string) (list []int) {
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		for i := p.number(first); i <= p.number(last); i++ {
			list = append(list, i)
		}
	}
	return list
}

func notifyOf(s string) (n smtp.Notify) {
	for word := range strings.SplitSeq(s, ",") {
		n |= map[string]smtp.Notify{
			"never": smtp.NotifyNever, "success": smtp.NotifySuccess,
			"failure": smtp.NotifyFailure, "delay": smtp.NotifyDelay,
		}[word]
	}
	return n
}

// next prints what Next says. The deliveries stay in flight, or are settled at
// once with what their hosts answer.
func (p *player) next(settle bool) {
	p.lease()
	starts, decisions := p.s.Next(p.now)
	for _, d := range decisions {
		p.decision(d)
	}
	for _, d := range starts {
		p.flights[d.ID] = d
		probe := ""
		if d.Probe {
			probe = ", a probe"
		}
		p.sayf("%s #%d %s to %s for %v%s", p.clock(p.now), d.ID, name(d.Message), d.Hop.Destination, d.To, probe)
		if settle {
			p.settle(d, nil)
		}
	}
}

func (p *player) run(d time.Duration) {
	end := p.now.Add(d)
	for {
		p.next(true)
		w := p.wake()
		if w.IsZero() || w.After(end) {
			p.now = end
			return
		}
		p.now = w
	}
}

// wake is when there is something to do, here or in the spool.
func (p *player) wake() time.Time {
	at := p.s.Wake()
	for _, w := range p.spool {
		if w.again.After(p.now) && (at.IsZero() || w.again.Before(at)) {
			at = w.again
		}
	}
	return at
}

func (p *player) settleLine(args []string) {
	d, ok := p.flights[uint64(p.number(strings.TrimPrefix(args[0], "#")))]
	if !ok {
		p.fatalf("%s is not in flight", args[0])
	}
	answers := map[int]string{}
	for _, a := range args[1:] {
		list, answer, ok := strings.Cut(a, "=")
		if !ok {
			list, answer = "all", a
		}
		if list == "all" {
			for _, i := range d.To {
				answers[i] = answer
			}
			continue
		}
		for _, i := range p.indices(list) {
			answers[i] = answer
		}
	}
	p.settle(d, answers)
}

func (p *player) settle(d queue.Delivery, answers map[int]string) {
	delete(p.flights, d.ID)
	var outcomes []mail.Outcome
	for _, i := range d.To {
		answer, ok := answers[i]
		if answers == nil {
			answer, ok = p.hosts[d.Hop.Destination], true
		}
		if ok && answer != "silent" {
			outcomes = append(outcomes, p.outcome(i, answer))
		}
	}
	decision, ok := p.s.Settle(p.now, d.ID, outcomes)
	if !ok {
		p.fatalf("#%d is unknown", d.ID)
	}
	p.decision(decision)
}

func (p *player) outcome(i int, answer string) mail.Outcome {
	o := mail.Outcome{Recipient: i, At: p.now, Host: "mx"}
	switch answer {
	case "", "ok", "dsn": // of a host without DSN, or one with it
		o.Fate, o.Forwarded = mail.Relayed, answer == "dsn"
	case "delivered":
		o.Fate = mail.Delivered
	case "down":
		o.Fate, o.HostDown, o.Local = mail.Deferred, true, true
		o.Reply = smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "nobody answers")
	case "stuck":
		o.Fate, o.Stuck, o.Local = mail.Deferred, true, true
		o.Reply = smtp.Replyf(451, smtp.EnhancedCode{4, 7, 0}, "nobody has logged in yet")
	case "ours":
		o.Fate, o.OurLimit, o.Local = mail.Deferred, true, true
		o.Reply = smtp.Replyf(451, smtp.EnhancedCode{4, 4, 5}, "a limit of ours")
	case "local":
		o.Fate, o.Local = mail.Deferred, true
		o.Reply = smtp.Replyf(451, smtp.EnhancedCode{4, 7, 5}, "no TLS there")
	default:
		code := smtp.Code(p.number(answer))
		o.Fate, o.Reply = mail.Failed, smtp.Replyf(code, smtp.EnhancedCode{5, 1, 1}, "no")
		if code.Temporary() {
			o.Fate, o.Reply.Enhanced = mail.Deferred, smtp.EnhancedCode{4, 2, 0}
		}
	}
	return o
}

// decision prints changes; those of the same kind on one line.
func (p *player) decision(d queue.Decision) {
	p.keep(d)
	for i := 0; i < len(d.Changes); {
		text := p.change(d.Changes[i])
		var who []int
		for ; i < len(d.Changes) && p.change(d.Changes[i]) == text; i++ {
			who = append(who, d.Changes[i].Recipient)
		}
		p.sayf("%s %s %v %s", p.clock(p.now), name(d.Message), who, text)
	}
}

func (p *player) change(c queue.Change) string {
	var b strings.Builder
	b.WriteString(c.Fate.String())
	if c.Reply != nil && c.Fate != mail.Relayed {
		fmt.Fprintf(&b, " (%s)", c.Reply)
	}
	if c.Fate == mail.Deferred {
		fmt.Fprintf(&b, ", %d tries, next %s", c.State.Tries, p.clock(c.State.Next))
		if !c.Again.Equal(c.State.Next) {
			fmt.Fprintf(&b, ", again %s", p.clock(c.Again))
		}
	}
	if c.Report != 0 {
		fmt.Fprintf(&b, ", report: %s", c.Report)
	}
	return b.String()
}

func (p *player) clock(t time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case t.YearDay() == 61:
		return t.Format("15:04:05")
	}
	return t.Format("2 Jan 15:04:05")
}

// order gives an order about recipients in the window. Those that are withdrawn
// are in the spool, and due.
func (p *player) order(args []string) {
	id, who := p.id(args[1]), p.indices(args[2])
	switch args[0] {
	case "withdraw":
		p.s.Withdraw(p.now, id, who)
	case "retry":
		p.s.RetryNow(p.now, id, who)
	case "bounce":
		p.decision(p.s.Bounce(p.now, id, who, nil))
	default:
		p.fatalf("%q is no order", args[0])
	}
}

func (p *player) wants() {
	p.want = p.s.Want(p.now)
	w := p.want
	p.sayf("room %d, of each %d, until %s, first flights %v", w.Room, w.Each, p.clock(w.Until), w.First)
	for _, h := range w.Skip {
		p.sayf("skip %s", h.Destination)
	}
}

func (p *player) status(destination string) {
	st, ok := p.s.Destination(hop(destination, "mx"))
	if !ok {
		p.sayf("nothing is known of %s", destination)
		return
	}
	p.sayf("%d recipients, %d in flight, %d at once, opens %s, down since %s, %d probes",
		st.Recipients, st.InFlight, st.AtOnce, p.clock(st.Opens), p.clock(st.Down), st.Probes)
}
