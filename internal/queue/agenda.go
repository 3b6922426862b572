package queue

// timer is an entry of an [agenda]: a parcel, a node or a share that has to be looked
// at when its time has come.
type timer struct {
	at     instant
	parcel *parcel
	node   *node
	share  *share
	seq    uint64 // order among equal times
	spot   int    // index in the agenda plus one; 0: not in it
}

func (t *timer) before(u *timer) bool {
	return t.at < u.at || t.at == u.at && t.seq < u.seq
}

// agenda is a heap of timers. Every operation takes O(log n).
type agenda struct {
	timers []*timer
	steps  *int // of all agendas and rotas, counted for the tests of cost
}

// first returns the earliest timer, nil if there is none.
func (a *agenda) first() *timer {
	if len(a.timers) == 0 {
		return nil
	}
	return a.timers[0]
}

// at returns the time of the earliest timer, or never.
func (a *agenda) at() instant {
	if len(a.timers) == 0 {
		return never
	}
	return a.timers[0].at
}

// set enters the timer at a time, or moves it there. Never takes it out.
func (a *agenda) set(t *timer, at instant) {
	switch {
	case at == never:
		a.drop(t)
		return
	case t.spot == 0:
		a.timers = append(a.timers, t)
		t.spot = len(a.timers)
	case t.at == at:
		return
	}
	t.at = at
	a.settle(t.spot - 1)
}

// drop takes the timer out, if it is in.
func (a *agenda) drop(t *timer) {
	if t.spot == 0 {
		return
	}
	i, last := t.spot-1, len(a.timers)-1
	a.swap(i, last)
	a.timers[last] = nil
	a.timers = a.timers[:last]
	t.spot = 0
	if i < last {
		a.settle(i)
	}
}

// settle moves the timer at i up or down to where it belongs.
func (a *agenda) settle(i int) {
	for i > 0 && a.timers[i].before(a.timers[(i-1)/2]) {
		a.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(a.timers); c++ {
			if a.timers[c].before(a.timers[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		a.swap(i, least)
		i = least
	}
}

func (a *agenda) swap(i, j int) {
	*a.steps++
	a.timers[i], a.timers[j] = a.timers[j], a.timers[i]
	a.timers[i].spot, a.timers[j].spot = i+1, j+1
}
