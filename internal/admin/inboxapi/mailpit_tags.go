package inboxapi

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/posthouse/posthouse/internal/inbox"
)

// tags are those of all messages, in order.
func (a *API) tags() []string {
	return append([]string{}, slices.Sorted(maps.Keys(a.o.Store.Tags("")))...)
}

func (a *API) mailpitTags(w http.ResponseWriter, _ *http.Request) error { return ok(w, a.tags()) }

type mailpitTagging struct {
	IDs  []string
	Tags []string
}

func (a *API) mailpitSetTags(w http.ResponseWriter, r *http.Request) error {
	var want mailpitTagging
	if err := readSome(w, r, maxBody, &want); err != nil {
		return err
	}
	tags, err := inbox.ParseTags(want.Tags)
	if err != nil {
		return wrong(err.Error())
	}
	for _, id := range parseIDs(want.IDs) {
		if err := a.o.Store.Tag("", id, tags); err != nil && !errors.Is(err, inbox.ErrNotFound) {
			return err
		}
	}
	return done(w)
}
