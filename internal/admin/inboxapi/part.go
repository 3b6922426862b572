package inboxapi

import (
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
)

func (a *API) source(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return a.give(w, r, m, "message/rfc822")
}

// give answers with the source of a message.
func (a *API) give(w http.ResponseWriter, r *http.Request, m inbox.Message, kind string) error {
	f, err := a.o.Store.Open(m.Inbox, m.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Content-Disposition", `attachment; filename="`+m.ID.String()+`.eml"`)
	http.ServeContent(w, r, "", m.Arrived, f)
	return nil
}

func (a *API) part(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return a.givePart(w, r, m, r.PathValue("path"))
}

// givePart answers with the content of a part, as a download of a type in which nothing runs.
func (a *API) givePart(w http.ResponseWriter, r *http.Request, m inbox.Message, path string) error {
	l, err := a.o.Store.Letter(r.Context(), m.Inbox, m.ID)
	if err != nil {
		return err
	}
	if path == "0" {
		path = ""
	}
	p := l.Part(path)
	if p == nil {
		return missing("the message has no such part")
	}
	w.Header().Set("Content-Type", harmless(p.Type))
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Content-Disposition", disposition(p))
	_, err = io.Copy(w, p.Open())
	_ = err // the client has gone
	return nil
}

// harmless is the media type of a part, if a browser that opens it runs nothing of it; of all
// else it is told only that it is octets.
func harmless(kind string) string {
	main, sub, _ := strings.Cut(kind, "/")
	known := false
	switch main {
	case "image", "audio", "video", "font":
		known = true
	case "text":
		known = slices.Contains([]string{"plain", "csv", "calendar", "markdown"}, sub)
	case "application":
		known = slices.Contains([]string{"pdf", "json", "zip", "gzip", "msword"}, sub) || strings.HasPrefix(sub, "vnd.")
	}
	if !known || !token.MatchString(sub) || strings.HasSuffix(sub, "xml") {
		return "application/octet-stream"
	}
	return kind
}

// token is what may stand in a media type, in lower case (RFC 2045, 5.1).
var token = regexp.MustCompile(`^[a-z0-9!#$&^_.+-]+$`)

// disposition names the file under which a part is saved (RFC 6266).
func disposition(p *letter.Part) string {
	name := p.Name
	if name == "" {
		name = "part-" + pathOf(p)
	}
	name = filepath.Base(name)
	return `attachment; filename="` + quote(name) + `"; filename*=UTF-8''` + url.PathEscape(name)
}
