package queue

import "slices"

// courtesy is how often a start goes to whoever has waited longest, whatever
// its priority: one start in so many. So a low priority is slow, and never lost.
const courtesy = 8

// rota says whose turn it is among those that could start a delivery now, and
// only those are in it: taking a turn never meets somebody who has to be passed
// over. Those of one class, which is a priority, take turns; a higher class
// comes first, but for the courtesy. There are at most 19 classes.
type rota struct {
	rings []ring // by class, highest first, none empty
	picks uint64
}

// ring is those of one class, in the order of their turns.
type ring struct {
	class      int8
	served     uint64 // the rota's pick that was the last of this class
	head, tail *turn
}

// turn is somebody's place in a rota: a node's or a parcel's.
type turn struct {
	node       *node
	parcel     *parcel
	prev, next *turn
	class      int8
	in         bool
}

func (r *rota) empty() bool { return len(r.rings) == 0 }

// top is the highest class that waits. The rota is not empty.
func (r *rota) top() int8 { return r.rings[0].class }

// put gives the turn a place at the end of its class, if it has none there.
func (r *rota) put(t *turn, class int8) {
	if t.in && t.class == class {
		return
	}
	r.remove(t)
	t.class, t.in = class, true
	i, found := r.find(class)
	if !found {
		r.rings = slices.Insert(r.rings, i, ring{class: class, served: r.picks})
	}
	r.rings[i].append(t)
}

// remove takes the turn out, if it is in.
func (r *rota) remove(t *turn) {
	if !t.in {
		return
	}
	i, _ := r.find(t.class)
	r.rings[i].unlink(t)
	t.in = false
	if r.rings[i].head == nil {
		r.rings = slices.Delete(r.rings, i, i+1)
	}
}

// pick says whose turn it is, and sends them to the end of their class. Kind
// asks for the class that was not served for longest; whether this pick was of
// that kind is returned, so that a whole way down can be.
func (r *rota) pick(kind bool) (*turn, bool) {
	r.picks++
	kind = kind || r.picks%courtesy == 0
	g := &r.rings[0]
	for i := range r.rings {
		if kind && r.rings[i].served < g.served {
			g = &r.rings[i]
		}
	}
	g.served = r.picks
	t := g.head
	g.unlink(t)
	g.append(t)
	return t, kind
}

// favour gives the next turn of its class to one that is in.
func (r *rota) favour(t *turn) {
	i, _ := r.find(t.class)
	g := &r.rings[i]
	g.unlink(t)
	t.next = g.head
	if g.head != nil {
		g.head.prev = t
	} else {
		g.tail = t
	}
	g.head = t
}

// find returns where a class is, or should be.
func (r *rota) find(class int8) (int, bool) {
	for i := range r.rings {
		if r.rings[i].class <= class {
			return i, r.rings[i].class == class
		}
	}
	return len(r.rings), false
}

func (g *ring) append(t *turn) {
	t.prev = g.tail
	if g.tail != nil {
		g.tail.next = t
	} else {
		g.head = t
	}
	g.tail = t
}

func (g *ring) unlink(t *turn) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		g.head = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		g.tail = t.prev
	}
	t.prev, t.next = nil, nil
}
