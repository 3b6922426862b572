package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
)

const (
	// counting is how long the queue is counted for one page. What is not counted by
	// then is known by what the spool says of destinations.
	counting = 300 * time.Millisecond
	// shown is how many destinations a page shows.
	shown = 200
	// onPage is how many recipients one shows.
	onPage = 50
)

// queueData is what the page of the queue shows.
type queueData struct {
	Status       admin.Status
	Destinations []destination
	More         int  // destinations that are not shown
	Counted      bool // all of the queue: the counts are exact
}

// destination is where mail waits.
type destination struct {
	Name       string
	Recipients int64
	Fresh      int64
	Deferred   int64
	Held       int64
	Oldest     time.Time
	Earliest   time.Time // next attempt
	Last       *admin.Last
	Ways       []admin.Health
	InFlight   int
}

// State is the key of how it goes there, and Mood its colour.
func (d *destination) State() string {
	switch {
	case d.Recipients > 0 && d.Held == d.Recipients:
		return "state.held"
	case slices.ContainsFunc(d.Ways, isDown):
		return "state.down"
	case d.InFlight > 0:
		return "state.sending"
	case d.Deferred > 0:
		return "state.deferred"
	}
	return "state.waiting"
}

// Mood is the colour of its state.
func (d *destination) Mood() string {
	switch d.State() {
	case "state.down":
		return "bad"
	case "state.held":
		return "info"
	case "state.deferred":
		return "warn"
	case "state.sending":
		return "ok"
	}
	return ""
}

// Down is since when it is down; zero: it is not.
func (d *destination) Down() time.Time {
	for i := range d.Ways {
		if isDown(d.Ways[i]) {
			return d.Ways[i].Down
		}
	}
	return time.Time{}
}

// Reply is what was said there last.
func (d *destination) Reply() string {
	if d.Last != nil && d.Last.Reply != "" {
		return d.Last.Reply
	}
	for i := range d.Ways {
		if d.Ways[i].Reply != "" {
			return d.Ways[i].Reply
		}
	}
	return ""
}

func isDown(h admin.Health) bool { return !h.Down.IsZero() }

func (c *Console) queuePage(v *visit) (any, error) {
	d, err := queueNow(v)
	if err != nil {
		return nil, err
	}
	if n := len(d.Destinations); n > shown {
		d.More, d.Destinations = n-shown, d.Destinations[:shown]
	}
	return d, nil
}

// queueNow is the queue with all of its destinations.
func queueNow(v *visit) (*queueData, error) {
	status, err := get[admin.Status](v, "/v1/status", nil)
	if err != nil {
		return nil, err
	}
	d := &queueData{Status: status}
	sum, err := tally(v, "", counting)
	if err != nil {
		return nil, err
	}
	d.Counted = sum.Next == ""
	known, err := get[admin.DestinationPage](v, "/v1/destinations", nil)
	if err != nil {
		return nil, err
	}
	d.Destinations = destinationsOf(&sum, known.Destinations, d.Counted)
	return d, nil
}

// tally counts what a filter chooses, for a while. It is complete if it has no Next.
func tally(v *visit, filter string, patience time.Duration) (sum admin.Tally, err error) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	for {
		part, err := get[admin.Tally](v, "/v1/queue/tally", values("filter", filter, "after", sum.Next))
		if err != nil {
			return sum, err
		}
		sum.Add(&part)
		if sum.Next == "" || ctx.Err() != nil {
			sum.Sort()
			return sum, nil
		}
	}
}

// destinationsOf puts what was counted together with what is known of the ways there.
// What was not counted to its end is known by the spool's own count.
func destinationsOf(sum *admin.Tally, known []admin.Destination, counted bool) []destination {
	at := map[string]*destination{}
	for i := range sum.Destinations {
		g := &sum.Destinations[i]
		at[g.Destination] = &destination{
			Name: g.Destination, Recipients: g.Recipients, Fresh: g.Fresh, Deferred: g.Deferred, Held: g.Held,
			Oldest: g.Oldest, Last: g.Last,
		}
	}
	for i := range known {
		k := &known[i]
		d := at[k.Name]
		switch {
		case d == nil && counted:
			continue // it has gone meanwhile
		case d == nil:
			d = &destination{Name: k.Name, Deferred: k.Recipients}
			at[k.Name] = d
		}
		if !counted {
			d.Recipients = max(d.Recipients, k.Recipients)
		}
		d.Earliest, d.Ways = k.Earliest, k.Ways
		for j := range k.Ways {
			d.InFlight += k.Ways[j].InFlight
		}
	}
	all := make([]destination, 0, len(at))
	for _, d := range at {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b destination) int {
		return cmp.Or(cmp.Compare(b.Recipients, a.Recipients), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// values makes a query of keys and values; what is "" is left out.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// pathOf is a path with a query of keys and values, for templates.
func pathOf(path string, pairs ...string) string {
	if q := values(pairs...).Encode(); q != "" {
		return path + "?" + q
	}
	return path
}

// short is the beginning of an ID, for people.
func short(id any) string {
	s, _ := id.(interface{ String() string })
	if s == nil {
		return ""
	}
	text := s.String()
	return text[:min(len(text), 10)]
}

// listData is what a page of recipients shows.
type listData struct {
	Filter   string
	Problem  string // with the filter
	Page     admin.QueuePage
	After    string
	Done     *done
	Searched bool // the page is empty, and there is more behind it
}

// rounds is how many pages are asked for until one has something on it.
const rounds = 20

func (c *Console) listPage(v *visit) (any, error) {
	q := v.URL.Query()
	d := listData{Filter: q.Get("filter"), After: q.Get("after"), Done: doneOf(q.Get("done"))}
	if _, err := admin.ParseFilter(d.Filter, time.Now()); err != nil {
		d.Problem = err.Error()
		return &d, nil
	}
	after := d.After
	for range rounds {
		page, err := get[admin.QueuePage](v, "/v1/queue", values("filter", d.Filter, "after", after, "limit", strconv.Itoa(onPage)))
		if err != nil {
			return nil, err
		}
		d.Page.Recipients = append(d.Page.Recipients, page.Recipients...)
		after, d.Page.Next = page.Next, page.Next
		if after == "" || len(d.Page.Recipients) > 0 {
			break
		}
	}
	d.Searched = len(d.Page.Recipients) == 0 && d.Page.Next != ""
	return &d, nil
}

// Filters are those that are a click away.
func (d *listData) Filters() []preset { return presets }

// FilterHelp tells the words of a filter.
func (d *listData) FilterHelp() string { return admin.FilterHelp }

type preset struct{ Key, Filter string }

var presets = []preset{
	{"filter.all", ""},
	{"filter.deferred", "state:deferred"},
	{"filter.held", "state:held"},
	{"filter.active", "is:active"},
	{"filter.old", "age:>4h"},
}

// text sends a whole message of the queue.
func (c *Console) text(v *visit) (answer, error) {
	return &download{path: "/v1/messages/" + url.PathEscape(v.PathValue("id")) + "/text", name: v.PathValue("id") + ".eml"}, nil
}

// download is what the control API says, as a file.
type download struct{ path, name string }

func (d *download) write(w http.ResponseWriter, v *visit) error {
	r, err := http.NewRequestWithContext(admin.As(v.Context(), v.operator()), http.MethodGet, d.path, http.NoBody)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", attachment(d.name))
	w.Header().Set("Content-Security-Policy", nothing)
	v.console.api.api.ServeHTTP(w, r)
	return nil
}

// nothing is the policy of what is no page: it may use nothing, and is nobody's.
const nothing = "default-src 'none'; sandbox; frame-ancestors 'none'"
