package dnsclient

import (
	"container/list"
	"sync"
	"time"
)

// cache keeps answers until their time is over, or they are the ones that were
// not asked for longest and there is no room. The zero value is empty.
type cache struct {
	mu     sync.Mutex
	byName map[string]*list.Element // of *entry, by question
	recent list.List                // the one asked last comes first
	octets int
}

type entry struct {
	question string
	answer   any // a dns.Answer
	err      error
	octets   int
	until    time.Time
}

// overhead is what an entry costs beside the octets of its answer.
const overhead = 300

// get returns what is kept for a question, and how long it still holds.
func (c *cache) get(question string, now time.Time) (e entry, left time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.byName[question]
	if at == nil {
		return entry{}, 0, false
	}
	e = *at.Value.(*entry)
	if left = e.until.Sub(now); left <= 0 {
		c.drop(at)
		return entry{}, 0, false
	}
	c.recent.MoveToFront(at)
	return e, left, true
}

// put keeps an answer, if it fits size.
func (c *cache) put(e entry, size int) {
	if size == 0 {
		size = 4 << 20
	}
	e.octets += overhead
	if e.octets > size || !e.until.After(time.Now()) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]*list.Element{}
	}
	if old := c.byName[e.question]; old != nil {
		c.drop(old)
	}
	c.byName[e.question] = c.recent.PushFront(&e)
	for c.octets += e.octets; c.octets > size; {
		c.drop(c.recent.Back())
	}
}

func (c *cache) drop(at *list.Element) {
	e := at.Value.(*entry)
	c.recent.Remove(at)
	delete(c.byName, e.question)
	c.octets -= e.octets
}
