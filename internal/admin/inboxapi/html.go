package inboxapi

import (
	"html"
	"io"
	"net/http"
	"net/url"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
)

func (a *API) html(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return a.giveHTML(w, r, m, r.FormValue("remote") == "1")
}

// giveHTML answers with the HTML of a message, made safe, and never as a page of this origin:
// programs get it as words, and a browser that would show it gets a page of ours with a frame,
// whose origin is nobody's and in which nothing runs.
func (a *API) giveHTML(w http.ResponseWriter, r *http.Request, m inbox.Message, remote bool) error {
	l, err := a.o.Store.Letter(r.Context(), m.Inbox, m.ID)
	if err != nil {
		return err
	}
	base := "/api/v1/inbox/" + url.PathEscape(m.Inbox) + "/messages/" + m.ID.String() + "/part/"
	safe := l.Safe(letter.Safe{Remote: remote, CID: func(id string) string {
		if p := l.ByCID(id); p != nil {
			return base + pathOf(p)
		}
		return ""
	}})
	text := "<!DOCTYPE html><meta charset=utf-8>" + safe.HTML
	w.Header().Add("Vary", "Sec-Fetch-Dest")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Content-Security-Policy", framePolicy(remote))
	if !shows(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, text)
		return nil
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, frameBegins+html.EscapeString(text)+frameEnds)
	return nil
}

// shows reports whether a browser is about to show the answer (Fetch Metadata). One that does
// not say so shows words.
func shows(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "document", "iframe", "frame", "embed", "object":
		return true
	}
	return false
}

// framePolicy holds for the page of ours, and for the frame in it, which inherits it.
func framePolicy(remote bool) string {
	images := "'self' data:"
	if remote {
		images += " http: https:"
	}
	return "sandbox " + frameMay + "; default-src 'none'; style-src 'unsafe-inline'; img-src " + images + "; form-action 'none'; base-uri 'none'"
}

const (
	frameMay    = "allow-popups allow-popups-to-escape-sandbox"
	frameBegins = "<!DOCTYPE html><meta charset=utf-8><title>Message</title><style>html,body{margin:0;height:100%}iframe{border:0;width:100%;height:100%;display:block}</style>" +
		`<iframe title="Message" sandbox="` + frameMay + `" referrerpolicy="no-referrer" srcdoc="`
	frameEnds = `"></iframe>`
)
