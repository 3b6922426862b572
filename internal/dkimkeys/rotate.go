package dkimkeys

import "time"

// Pace is how a rotation goes.
type Pace struct {
	After time.Duration // new keys sign after it, seen or not; 0: when they are seen
	Keep  time.Duration // how long the record of a key stays that signs no more; 0: seven days
}

func (p Pace) keep() time.Duration {
	if p.Keep > 0 {
		return p.Keep
	}
	return 7 * 24 * time.Hour
}

// Step is what is to be done next in a rotation.
type Step string

// The steps.
const (
	Begin   Step = "begin"   // new keys are to be made, and [Added]
	Publish Step = "publish" // the records of new keys are to be put into the DNS
	Switch  Step = "switch"  // they were seen there: see [Switched]
	Wait    Step = "wait"    // until the records of old keys may leave the DNS
	Drop    Step = "drop"    // they may: they are to be taken out
	Forget  Step = "forget"  // they have left: see [Forgotten]
)

// Next returns the next step. Seen reports whether the DNS has the record of an
// entry; it is asked only where that matters. What is over comes before what begins.
func Next(all []Entry, now time.Time, seen func(*Entry) bool) Step {
	by := map[Stage][]*Entry{}
	for i := range all {
		stage := all[i].Stage(now)
		by[stage] = append(by[stage], &all[i])
	}
	switch {
	case len(by[Waiting]) > 0 && every(by[Waiting], seen):
		return Switch
	case len(by[Waiting]) > 0:
		return Publish
	case len(by[Over]) > 0 && some(by[Over], seen):
		return Drop
	case len(by[Over]) > 0:
		return Forget
	case len(by[Kept]) > 0:
		return Wait
	}
	return Begin
}

func every(all []*Entry, is func(*Entry) bool) bool {
	for _, e := range all {
		if !is(e) {
			return false
		}
	}
	return true
}

func some(all []*Entry, is func(*Entry) bool) bool {
	return !every(all, func(e *Entry) bool { return !is(e) })
}

// Added returns the entries with those of new keys, which sign at once if nothing
// else does, and else as the pace says.
func Added(all []Entry, selectors []string, now time.Time, p Pace) []Entry {
	signs := false
	for i := range all {
		signs = signs || all[i].Stage(now) == Signing
	}
	from := time.Time{}
	switch {
	case !signs:
		from = now
	case p.After > 0:
		from = now.Add(p.After)
		all = ended(all, now, from, p)
	}
	after := append([]Entry{}, all...)
	for _, s := range selectors {
		after = append(after, Entry{Selector: s, From: from})
	}
	return after
}

// Switched returns the entries with those signing that waited, and nothing else.
func Switched(all []Entry, now time.Time, p Pace) []Entry {
	after := ended(all, now, now, p)
	for i := range after {
		if after[i].Stage(now) == Waiting {
			after[i].From = now
		}
	}
	return after
}

// ended ends those that sign now, at an instant.
func ended(all []Entry, now, at time.Time, p Pace) []Entry {
	after := append([]Entry{}, all...)
	for i := range after {
		if e := &after[i]; e.Stage(now) == Signing {
			e.Until, e.Drop = at, at.Add(p.keep())
		}
	}
	return after
}

// Forgotten returns the entries without those that are over.
func Forgotten(all []Entry, now time.Time) []Entry {
	var after []Entry
	for i := range all {
		if all[i].Stage(now) != Over {
			after = append(after, all[i])
		}
	}
	return after
}
