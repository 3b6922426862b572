package admin

import (
	"net/http"
	"os"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/spool"
)

// Status is how the house is.
type Status struct {
	Hostname string    `json:"hostname"`
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started,omitzero"`
	Window   Window    `json:"window"`
	Spool    Spooled   `json:"spool"`
	Holding  *Place    `json:"holding,omitempty"` // the setting that keeps all mail from being sent

	Certificates []Certificate `json:"certificates,omitempty"`
}

// Certificate is one that clients may be shown.
type Certificate struct {
	Name    string    `json:"name"`              // the first that it bears, or should
	Others  []string  `json:"others,omitempty"`  // names that it bears too
	Issuer  string    `json:"issuer,omitempty"`  // who has signed it; "": it has itself, or there is none
	From    string    `json:"from,omitempty"`    // the file, or the URL of the authority; "": it was made for the run
	Until   time.Time `json:"until,omitzero"`    // zero: there is none yet
	Trouble string    `json:"trouble,omitempty"` // why there is no newer one
	Next    time.Time `json:"next,omitzero"`     // when an authority is asked for the next
}

// Window is how much of the queue is in memory and at work.
type Window struct {
	Recipients   int `json:"recipients"`
	Room         int `json:"room"`         // for more
	Destinations int `json:"destinations"` // that something is known of
	InFlight     int `json:"in_flight"`    // deliveries
}

// Spooled is what is in the spool. Counts are of recipients if nothing else is said.
type Spooled struct {
	Messages  int64 `json:"messages"`
	Bytes     int64 `json:"bytes"`
	Fresh     int64 `json:"fresh"`
	Deferred  int64 `json:"deferred"`
	Held      int64 `json:"held"`
	Active    int64 `json:"active"`
	Damaged   int64 `json:"damaged"`    // messages in quarantine
	Facts     int64 `json:"facts"`      // entries of the journal
	FactBytes int64 `json:"fact_bytes"` // octets of the journal
	States    int64 `json:"states"`
	Free      int64 `json:"free"`     // octets of disk; -1: not known
	Refusing  bool  `json:"refusing"` // new mail is told 452: the disk is full
	Disk      int64 `json:"disk"`     // octets of the disk in all; 0: not known
	Floor     int64 `json:"floor"`    // octets: with less of them free new mail is told 452; 0: never
}

func spooled(s *spool.Stats) Spooled {
	return Spooled{
		Messages: s.Messages, Bytes: s.Bytes, Fresh: s.Fresh, Deferred: s.Waiting, Held: s.Held, Active: s.Leased,
		Damaged: s.Damaged, Facts: s.Facts, FactBytes: s.FactBytes, States: s.States, Free: s.Free, Refusing: s.Refusing,
		Disk: s.Disk, Floor: s.Floor,
	}
}

func (a *API) status(r *http.Request) (any, error) {
	if _, err := asked(r); err != nil {
		return nil, err
	}
	stats, err := a.opts.Spool.Stats(r.Context())
	if err != nil {
		return nil, err
	}
	load, err := a.opts.Dispatch.Load(r.Context())
	if err != nil {
		return nil, err
	}
	var certificates []Certificate
	if a.opts.Certificates != nil {
		certificates = a.opts.Certificates()
	}
	return Status{
		Certificates: certificates,
		Hostname:     a.opts.Hostname, Version: a.opts.Version, PID: os.Getpid(), Started: a.opts.Started,
		Window: Window(load), Spool: spooled(&stats), Holding: a.holding(),
	}, nil
}

// holding is the setting that keeps all mail from being sent; nil: it is sent.
func (a *API) holding() *Place {
	if a.opts.Holding == nil {
		return nil
	}
	at, is := a.opts.Holding()
	if !is {
		return nil
	}
	return placeOf(at)
}

// DestinationPage is a part of the destinations, by name.
type DestinationPage struct {
	Destinations []Destination `json:"destinations"`
	Next         string        `json:"next,omitempty"`
}

// Destination is a name under which mail waits, and what is known of the ways there.
type Destination struct {
	Name       string    `json:"name"`
	Recipients int64     `json:"recipients"`        // deferred and held
	Earliest   time.Time `json:"earliest,omitzero"` // when the first falls due that is not active
	Ways       []Health  `json:"ways"`
}

// Health is what is known of a destination by one hop.
type Health struct {
	Hop      *Hop      `json:"hop"`
	Site     string    `json:"site,omitempty"` // its operator
	InWindow int       `json:"in_window"`      // recipients
	InFlight int       `json:"in_flight"`      // deliveries
	AtOnce   int       `json:"at_once"`        // deliveries that there may be now; 0: no limit
	Opens    time.Time `json:"opens,omitzero"` // not before
	Down     time.Time `json:"down,omitzero"`  // since
	Probes   int       `json:"probes,omitempty"`
	Reply    string    `json:"reply,omitempty"` // of the last probe
}

func healthOf(h mail.Hop, s *queue.Status) Health {
	return Health{
		Hop: hopOf(h), Site: s.Site, InWindow: s.Recipients, InFlight: s.InFlight, AtOnce: s.AtOnce,
		Opens: s.Opens, Down: s.Down, Probes: s.Probes, Reply: replyLine(s.Reply),
	}
}

func (a *API) destinations(r *http.Request) (any, error) {
	v, err := asked(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	most, err := limit(v.Get("limit"))
	if err != nil {
		return nil, err
	}
	found, err := a.opts.Spool.Destinations(r.Context(), v.Get("after"), most)
	if err != nil {
		return nil, err
	}
	page := DestinationPage{Destinations: make([]Destination, len(found))}
	names := make([]string, len(found))
	at := make(map[string]*Destination, len(found))
	for i, d := range found {
		page.Destinations[i] = Destination{Name: d.Name, Recipients: d.Recipients, Earliest: d.Earliest, Ways: []Health{}}
		names[i], at[d.Name] = d.Name, &page.Destinations[i]
	}
	if len(found) == spool.Limit(most) {
		page.Next = names[len(names)-1]
	}
	known, err := a.opts.Dispatch.Known(r.Context(), names)
	for i := range known {
		d := at[known[i].Hop.Destination]
		d.Ways = append(d.Ways, healthOf(known[i].Hop, &known[i].Status))
	}
	return page, err
}

// DamagePage is a part of the messages in quarantine, by ID.
type DamagePage struct {
	Damaged []Damage `json:"damaged"`
	Next    string   `json:"next,omitempty"`
}

// Damage is a message in quarantine.
type Damage struct {
	ID   mail.ID   `json:"id"`
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

func (a *API) damaged(r *http.Request) (any, error) {
	v, err := asked(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	var after mail.ID
	if s := v.Get("after"); s != "" {
		if after, err = mail.ParseID(s); err != nil {
			return nil, wrong("%v", err)
		}
	}
	most, err := limit(v.Get("limit"))
	if err != nil {
		return nil, err
	}
	found, err := a.opts.Spool.Damaged(r.Context(), after, most)
	page := DamagePage{Damaged: make([]Damage, len(found))}
	for i, d := range found {
		page.Damaged[i] = Damage(d)
	}
	if len(found) == spool.Limit(most) {
		page.Next = found[len(found)-1].ID.String()
	}
	return page, err
}
