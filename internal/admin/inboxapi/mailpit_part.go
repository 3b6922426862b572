package inboxapi

import (
	"io"
	"net/http"
	"strings"
)

func (a *API) mailpitRaw(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	return a.give(w, r, m, "text/plain; charset=utf-8")
}

func (a *API) mailpitPart(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	return a.givePart(w, r, m, r.PathValue("path"))
}

func (a *API) mailpitView(w http.ResponseWriter, r *http.Request) error {
	id, asText := strings.CutSuffix(r.PathValue("id"), ".txt")
	r.SetPathValue("id", strings.TrimSuffix(id, ".html"))
	m, l, err := a.opened(r)
	if err != nil {
		return err
	}
	if !asText && l.HTML() == "" {
		return missing("the message has no HTML")
	}
	if !asText {
		return a.giveHTML(w, r, m, false)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, l.Text())
	return nil
}
