package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
)

// orderWord is an order that can be given.
type orderWord struct {
	Verb  string
	Grave bool // it is asked for before: it cannot be taken back, or goes elsewhere
}

var orderWords = []orderWord{
	{"hold", false},
	{"release", false},
	{"retry", false},
	{"reroute", true},
	{"drop", true},
	{"bounce", true},
}

func orderOf(verb string) (orderWord, bool) {
	i := slices.IndexFunc(orderWords, func(w orderWord) bool { return w.Verb == verb })
	if i < 0 {
		return orderWord{}, false
	}
	return orderWords[i], true
}

// maxPicked is how many recipients may be picked one by one.
const maxPicked = 200

// wanted is an order that somebody gives by a form.
type wanted struct {
	Word      orderWord
	Picked    []string // "ID/INDEX", or "ID" for all of a message
	Filter    string   // if nothing is picked: all that it chooses, as ArrivedBefore bounds it
	All       bool
	Reason    string
	Via       string
	Back      string
	Confirmed bool
}

func wantedOf(get func(string) string, picked []string) (*wanted, error) {
	w := &wanted{
		Picked: picked, Filter: get("filter"), All: get("scope") == "all", Reason: strings.TrimSpace(get("reason")),
		Via: strings.TrimSpace(get("via")), Back: own(get("back")), Confirmed: get("confirmed") == "yes",
	}
	var ok bool
	if w.Word, ok = orderOf(get("verb")); !ok {
		return nil, &fault{status: http.StatusBadRequest, key: "error.no-order"}
	}
	switch {
	case w.All:
		w.Picked = nil
	case len(w.Picked) == 0:
		return nil, &fault{status: http.StatusBadRequest, key: "error.nothing-picked"}
	case len(w.Picked) > maxPicked:
		return nil, &fault{status: http.StatusBadRequest, key: "error.too-many-picked", args: []any{maxPicked}}
	}
	return w, nil
}

// filters are what the order is about, one after the other. Mail that comes later is
// not meant.
func (w *wanted) filters(now time.Time) ([]string, error) {
	words := []string{w.Filter}
	if !w.All {
		words = nil
		for _, p := range w.Picked {
			words = append(words, "id:"+p)
		}
	}
	for i := range words {
		f, err := admin.ParseFilter(words[i], now)
		if err != nil {
			return nil, &fault{status: http.StatusBadRequest, message: err.Error()}
		}
		if f.ArrivedBefore.IsZero() || now.Before(f.ArrivedBefore) {
			f.ArrivedBefore = now.Add(time.Nanosecond)
		}
		words[i] = admin.PrintFilter(f)
	}
	return words, nil
}

// order gives an order; one that is grave, or about more than was picked, once it was
// confirmed.
func (c *Console) order(v *visit) (answer, error) {
	w, err := wantedOf(v.PostFormValue, v.PostForm["pick"])
	if err != nil {
		return nil, err
	}
	if (w.Word.Grave || w.All) && !w.Confirmed {
		return c.confirm(v, w)
	}
	filters, err := w.filters(time.Now())
	if err != nil {
		return nil, err
	}
	sum := done{Verb: w.Word.Verb}
	for _, f := range filters {
		if err := c.give(v, w, f, &sum); err != nil {
			return nil, halfWay(v, &sum, err)
		}
	}
	c.Changed(TopicQueue)
	return redirect(sum.at(w.Back)), nil
}

// give gives an order about all that a filter chooses.
func (c *Console) give(v *visit, w *wanted, filter string, sum *done) error {
	req := admin.OrderRequest{Verb: w.Word.Verb, Filter: filter, Reason: w.Reason, Via: w.Via}
	for {
		part, err := ask[admin.OrderResult](v.Context(), c.api, v, http.MethodPost, "/v1/queue/orders", nil, req)
		if err != nil {
			return err
		}
		sum.Chosen += part.Chosen
		sum.Changed += part.Changed
		if req.After = part.Next; req.After == "" {
			return nil
		}
	}
}

// halfWay says how far an order came that did not come to its end.
func halfWay(v *visit, sum *done, err error) error {
	if sum.Changed == 0 {
		return err
	}
	f := v.console.faultOf(v, err)
	f.hint = strings.TrimSpace(f.hint + " " + v.lang.count("done."+sum.Verb, sum.Changed))
	return f
}

// confirmData is what is asked before a grave order.
type confirmData struct {
	*wanted
	Sum admin.Tally
}

// confirm asks, and fixes what was counted: what comes meanwhile is not meant.
func (c *Console) confirm(v *visit, w *wanted) (answer, error) {
	filters, err := w.filters(time.Now())
	if err != nil {
		return nil, err
	}
	d := confirmData{wanted: w}
	for _, f := range filters {
		part, err := tally(v, f, 5*time.Second)
		if err != nil {
			return nil, err
		}
		d.Sum.Add(&part)
	}
	if w.All {
		w.Filter = filters[0]
	}
	d.Sum.Sort()
	return &drawn{body: "confirm", section: "queue", data: &d}, nil
}

// done is what became of an order, as the address of the next page tells it.
type done struct {
	Verb            string
	Chosen, Changed int
}

// at puts it into a path.
func (d *done) at(back string) string {
	sep := "?"
	if strings.Contains(back, "?") {
		sep = "&"
	}
	return fmt.Sprintf("%s%sdone=%s.%d.%d", back, sep, d.Verb, d.Chosen, d.Changed)
}

// doneOf reads what at wrote; nil: there is nothing to tell.
func doneOf(s string) *done {
	part := strings.Split(s, ".")
	if len(part) != 3 {
		return nil
	}
	w, ok := orderOf(part[0])
	chosen, err := strconv.Atoi(part[1])
	changed, err2 := strconv.Atoi(part[2])
	if !ok || err != nil || err2 != nil {
		return nil
	}
	return &done{w.Verb, chosen, changed}
}

// Key is that of the message that tells it.
func (d *done) Key() string { return "done." + d.Verb }
