package inboxapi

import (
	"io"
	"net/http"
	"strings"

	"github.com/posthouse/posthouse/internal/letter"
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

func (a *API) mailpitThumbnail(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	p, err := a.partAt(r, m, r.PathValue("path"))
	if err != nil {
		return err
	}
	select {
	case a.pictures <- struct{}{}:
		defer func() { <-a.pictures }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	picture, err := p.Thumbnail(thumbnailBox)
	if err != nil {
		return missing("there is no small picture of it: " + err.Error())
	}
	w.Header().Set("Content-Type", letter.ThumbnailType)
	_, _ = w.Write(picture) // who does not read it any more has gone
	return nil
}

// thumbnailBox is how wide and high a small picture is at most, in pixels.
const thumbnailBox = 180

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
