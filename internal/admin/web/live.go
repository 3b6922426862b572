package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pulse is how often a page is drawn anew at most.
	pulse = 500 * time.Millisecond
	// breath is how often a stream on which nothing happens says so, that proxies may
	// know it lives.
	breath = 20 * time.Second
	// maxViewers is how many pages may be looked at live.
	maxViewers = 1000
)

// Topic is what a page is about.
type Topic uint8

// The topics.
const (
	TopicNone Topic = iota
	TopicQueue
	TopicInbox
	TopicSessions
	TopicOverview
	topics
)

// stale is how long a page of a topic stays as it is though nothing has told of a change:
// there are ages on it. Sessions say so much that it is simpler to look.
var stale = [topics]time.Duration{TopicQueue: 10 * time.Second, TopicInbox: 10 * time.Second, TopicSessions: pulse, TopicOverview: 2 * time.Second}

// Changed says that something of a topic is not as it was. It costs next to nothing,
// and may be called from any goroutine.
func (c *Console) Changed(t Topic) {
	if t < topics {
		c.live.changes[t].Add(1)
	}
}

// live is the pages that somebody looks at. All who look at the same thing share a
// picture of it, which is drawn once for all of them.
type live struct {
	console *Console
	changes [topics]atomic.Uint64

	mu       sync.Mutex
	pictures map[string]*picture
	viewers  int
	painters sync.WaitGroup
	closing  chan struct{} // closed: no stream goes on
	serving  int
}

func newLive(c *Console) *live {
	return &live{console: c, pictures: map[string]*picture{}, closing: make(chan struct{})}
}

// open lets streams live until what it returns is called, which may be more than once.
func (l *live) open() (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.serving == 0 {
		l.closing = make(chan struct{})
	}
	l.serving++
	return sync.OnceFunc(l.leave)
}

func (l *live) leave() {
	l.mu.Lock()
	l.serving--
	last := l.serving == 0
	if last {
		close(l.closing)
	}
	l.mu.Unlock()
	if last {
		l.painters.Wait()
	}
}

// picture is the changing part of a page.
type picture struct {
	paint   func(ctx context.Context) ([]byte, error)
	viewers int
	end     context.CancelFunc

	mu    sync.Mutex
	drawn []byte        // as an event; nil: not yet
	next  chan struct{} // closed when there is another
}

// look returns what is drawn, and what tells when that has changed.
func (p *picture) look() ([]byte, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drawn, p.next
}

func (p *picture) show(drawn []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn != nil && bytes.Equal(drawn, p.drawn) {
		return
	}
	p.drawn = drawn
	close(p.next)
	p.next = make(chan struct{})
}

// errCrowded says that more pages are looked at than may be.
var errCrowded = errors.New("too many pages are looked at live")

// join returns the picture of a key, which is painted from now on until the last has
// left.
func (l *live) join(key string, t Topic, paint func(ctx context.Context) ([]byte, error)) (*picture, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.viewers >= maxViewers || l.serving == 0 {
		return nil, errCrowded
	}
	l.viewers++
	p := l.pictures[key]
	if p == nil {
		ctx, cancel := context.WithCancel(context.Background())
		p = &picture{paint: paint, end: cancel, next: make(chan struct{})}
		l.pictures[key] = p
		l.painters.Go(func() { l.keep(ctx, p, t) })
	}
	p.viewers++
	return p, nil
}

func (l *live) part(key string, p *picture) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.viewers--
	if p.viewers--; p.viewers == 0 {
		p.end()
		delete(l.pictures, key)
	}
}

// keep paints a picture whenever its topic has changed, but no oftener than the pulse.
func (l *live) keep(ctx context.Context, p *picture, t Topic) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	seen, at := uint64(0), time.Time{}
	for {
		now := l.changes[t].Load()
		if at.IsZero() || now != seen || time.Since(at) >= stale[t]-pulse/2 {
			seen, at = now, time.Now()
			if drawn, err := p.paint(ctx); err == nil { // else what was seen last stays
				p.show(event(drawn))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// serveLive streams the changing part of the page that "of" names.
func (c *Console) serveLive(v *visit) (answer, error) {
	of, err := url.Parse(own(v.URL.Query().Get("of")))
	if err != nil {
		return nil, &fault{status: http.StatusBadRequest, key: "error.unreadable"}
	}
	r := v.Request.Clone(context.WithoutCancel(v.Context()))
	r.URL, r.Pattern = of, ""
	h, pattern := c.mux.Handler(r)
	p, is := h.(*pageHandler)
	if !is || p.topic == TopicNone || pattern == "" {
		return nil, &fault{status: http.StatusNotFound, key: "error.nowhere", args: []any{of.Path}}
	}
	return &stream{key: fmt.Sprint(of.RequestURI(), "\x00", v.lang.tag, v.who.right), topic: p.topic, request: r}, nil
}

// stream is an answer that goes on until who looks has gone.
type stream struct {
	key     string
	topic   Topic
	request *http.Request
}

type fragmentKey struct{}

// paint draws the changing part of a page by asking for it as a browser does.
func (s *stream) paint(v *visit) func(ctx context.Context) ([]byte, error) {
	asked := who{right: v.who.right} // no name: others see this picture too
	return func(ctx context.Context) ([]byte, error) {
		var heard listener
		ctx = context.WithValue(ctx, fragmentKey{}, &visit{console: v.console, who: asked, lang: v.lang})
		v.console.mux.ServeHTTP(&heard, s.request.WithContext(ctx))
		if heard.status != http.StatusOK {
			return nil, fmt.Errorf("%d", heard.status)
		}
		return heard.body.Bytes(), nil
	}
}

func (s *stream) write(w http.ResponseWriter, v *visit) error {
	l := v.console.live
	p, err := l.join(s.key, s.topic, s.paint(v))
	if err != nil {
		return &fault{status: http.StatusServiceUnavailable, key: "error.crowded"}
	}
	defer l.part(s.key, p)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // what stands between must not wait
	s.follow(&line{w: w, control: http.NewResponseController(w)}, v, p)
	return nil
}

// follow sends each picture to who looks, for as long as that one has the right to.
func (s *stream) follow(to *line, v *visit, p *picture) {
	quiet := time.NewTicker(breath)
	defer quiet.Stop()
	drawn, next := p.look()
	for v.console.whoIs(v.Request).right >= v.who.right {
		if drawn != nil && !to.send(drawn) {
			return
		}
		drawn = nil
		select {
		case <-next:
			drawn, next = p.look()
		case <-quiet.C:
			if !to.send([]byte(":\n\n")) {
				return
			}
		case <-v.Context().Done():
			return
		case <-v.console.live.ended():
			return
		}
	}
}

// ended is closed when the console ends.
func (l *live) ended() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}

// event puts a picture into the form of an event: each line of it is one of data. A CR
// alone would be the end of a line there too.
func event(drawn []byte) []byte {
	var b bytes.Buffer
	lines := bytes.ReplaceAll(bytes.ReplaceAll(drawn, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	for text := range bytes.SplitSeq(lines, []byte("\n")) {
		b.WriteString("data: ")
		b.Write(text)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// line is the way to who looks.
type line struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (l *line) send(p []byte) bool {
	_ = l.control.SetWriteDeadline(time.Now().Add(pace)) // not every server can
	if _, err := l.w.Write(p); err != nil {
		return false
	}
	return l.control.Flush() == nil
}
