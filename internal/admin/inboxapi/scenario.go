package inboxapi

import (
	"net/http"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/scenario"
)

// rules is a scenario.
type rules struct {
	Rules []scenario.Rule `json:"rules"`
}

func (a *API) scenario(w http.ResponseWriter, r *http.Request) error {
	return ok(w, a.playing(r))
}

func (a *API) playing(r *http.Request) rules {
	now := rules{Rules: []scenario.Rule{}}
	if a.o.Scenarios != nil {
		now.Rules = append(now.Rules, a.o.Scenarios.Playing(named(r))...)
	}
	return now
}

func (a *API) play(w http.ResponseWriter, r *http.Request) error {
	var want rules
	if err := read(w, r, maxBody, &want); err != nil {
		return err
	}
	s, err := scenario.New(want.Rules)
	switch {
	case err != nil:
		return wrong(err.Error())
	case a.o.Scenarios == nil:
		return &admin.Fault{Status: http.StatusConflict, Message: "no scenarios are played here"}
	case !a.o.Scenarios.Play(named(r), s):
		return &admin.Fault{Status: http.StatusConflict, Message: "too many inboxes have scenarios", Hint: "end some of them"}
	}
	return ok(w, a.playing(r))
}

func (a *API) endPlay(w http.ResponseWriter, r *http.Request) error {
	if a.o.Scenarios != nil {
		a.o.Scenarios.Play(named(r), nil)
	}
	return ok(w, a.playing(r))
}
