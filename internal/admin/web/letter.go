package web

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

// tabs are the ways to look at a message, in order.
var tabs = []string{"html", "text", "headers", "source", "parts", "attachments", "transcript", "authentication", "links", "checks"}

const (
	// maxShown is how much of a source or text is on a page, in octets: the rest is in
	// the download.
	maxShown = 512 << 10
	// maxRead is how many octets of HTML are read only to say on a tab how much is behind it.
	maxRead = 200 << 10
	// maxEmbedded is how many octets of images are put into the HTML of a message.
	maxEmbedded = 12 << 20
)

// letterData is a message, and how somebody looks at it.
type letterData struct {
	inbox.Message
	In       string
	Tab      string
	Width    string // of the frame: "phone", "tablet", or "": all there is
	Remote   bool
	Letter   *letter.Letter
	Harmless letter.Harmless
	Shown    string // text or source
	Cut      bool
	Dialogue []inbox.Line
	Released string
	Release  bool // it can be sent on
}

func (c *Console) letterPage(v *visit) (any, error) {
	in, id, err := named(v)
	if err != nil {
		return nil, err
	}
	m, err := c.opts.Inboxes.Get(in, id)
	if err != nil {
		return nil, letterError(err)
	}
	l, err := c.opts.Inboxes.Letter(v.Context(), in, id)
	if err != nil {
		return nil, letterError(err)
	}
	if !m.Read {
		if err := c.opts.Inboxes.Mark(in, id, true); err == nil { // else it is shown as unread
			c.Changed(TopicInbox)
		}
	}
	q := v.URL.Query()
	d := &letterData{Message: m, In: in, Letter: l, Tab: q.Get("tab"), Remote: q.Get("remote") == "1", Released: q.Get("released"), Release: c.canRelease()}
	if w := q.Get("width"); w == "phone" || w == "tablet" {
		d.Width = w
	}
	if !slices.Contains(tabs, d.Tab) {
		d.Tab = "text"
		if l.HTML() != "" {
			d.Tab = "html"
		}
	}
	return d, d.look(c)
}

// look gets what the tab shows.
func (d *letterData) look(c *Console) (err error) {
	switch d.Tab {
	case "html":
		d.Harmless = d.Letter.Safe(letter.Safe{CID: embedded(d.Letter), Remote: d.Remote})
	case "text":
		d.Shown, d.Cut = clipped(d.Letter.Words())
	case "source":
		d.Shown, d.Cut = clipped(strings.ToValidUTF8(string(d.Letter.Source()), "\uFFFD"))
	case "transcript":
		d.Dialogue, err = c.opts.Inboxes.Dialogue(d.In, d.ID)
	}
	return letterError(err)
}

// clipped is as much of a text as a page shows.
func clipped(s string) (string, bool) {
	if len(s) <= maxShown {
		return s, false
	}
	return strings.ToValidUTF8(s[:maxShown], ""), true
}

// Title is the subject.
func (d *letterData) Title() string { return d.Letter.Subject }

// Tabs are the ways to look at it.
func (d *letterData) Tabs() []string { return tabs }

// Count is how much there is behind a tab; 0 if that is nothing to say.
func (d *letterData) Count(tab string) int {
	switch tab {
	case "attachments":
		return len(d.Letter.Attachments()) + len(d.Letter.Inline())
	case "links":
		if len(d.Letter.HTML()) < maxRead {
			return len(d.Letter.Links())
		}
	case "checks":
		if len(d.Letter.HTML()) < maxRead {
			return len(d.Letter.Checks())
		}
	case "parts":
		return len(d.Letter.Parts())
	}
	return 0
}

// Files are what has come with it; the first of them, if they are very many.
func (d *letterData) Files() []*letter.Part {
	all := append(slices.Clone(d.Letter.Attachments()), d.Letter.Inline()...)
	return all[:min(len(all), maxBranches)]
}

// Began is when the dialogue did.
func (d *letterData) Began() time.Time {
	if len(d.Dialogue) == 0 {
		return time.Time{}
	}
	return d.Dialogue[0].At
}

// Branches are the parts in their order, each with how deep it is.
func (d *letterData) Branches() []branch {
	var all []branch
	for i, p := range d.Letter.Parts() {
		depth := 0
		if p.Path != "" {
			depth = 1 + strings.Count(p.Path, ".")
		}
		if i == maxBranches {
			break
		}
		all = append(all, branch{p, min(depth, 12)})
	}
	return all
}

// maxBranches is how many parts a page shows.
const maxBranches = 1000

type branch struct {
	*letter.Part
	Depth int
}

// IsImage reports whether a part can be looked at where it is.
func (d *letterData) IsImage(p *letter.Part) bool {
	return isPicture(p.Type) && p.Size() <= maxEmbedded
}

// HasThumbnail reports whether there may be a small picture of it.
func (d *letterData) HasThumbnail(p *letter.Part) bool {
	return isPicture(p.Type) && p.Type != "image/webp"
}

// TagWords are the tags as they are typed.
func (d *letterData) TagWords() string { return strings.Join(d.Message.Tags, ", ") }

// isPicture: an image of a kind that runs nothing.
func isPicture(kind string) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, kind)
}

// addresses writes addresses for people.
func addresses(all []message.Address) string {
	var b strings.Builder
	for i, a := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		if a.Name != "" {
			fmt.Fprintf(&b, "%s <%s>", a.Name, a.Addr)
		} else {
			fmt.Fprint(&b, a.Addr)
		}
	}
	return b.String()
}

// embedded gives images as what they are, within the HTML: its frame is nobody's, and
// could not fetch them from us.
func embedded(l *letter.Letter) func(id string) string {
	left, known := maxEmbedded, map[string]string{}
	return func(id string) string {
		if url, ok := known[id]; ok {
			return url
		}
		p := l.ByCID(id)
		if p == nil || !isPicture(p.Type) || p.Size() > int64(left) {
			known[id] = ""
			return ""
		}
		octets, err := io.ReadAll(io.LimitReader(p.Open(), int64(left)))
		if err != nil {
			return ""
		}
		left -= len(octets)
		known[id] = "data:" + p.Type + ";base64," + base64.StdEncoding.EncodeToString(octets)
		return known[id]
	}
}

// showHTML answers with the HTML of a message, for a frame: it is made harmless, and its
// policy gives it an origin that is nobody's, in which nothing runs.
func (c *Console) showHTML(v *visit) (answer, error) {
	in, id, err := named(v)
	if err != nil {
		return nil, err
	}
	l, err := c.opts.Inboxes.Letter(v.Context(), in, id)
	if err != nil {
		return nil, letterError(err)
	}
	remote := v.URL.Query().Get("remote") == "1"
	return &frame{l.Safe(letter.Safe{CID: embedded(l), Remote: remote}).HTML, remote}, nil
}

// frame is HTML of a stranger.
type frame struct {
	html   string
	remote bool // images may come from elsewhere
}

func (f *frame) write(w http.ResponseWriter, _ *visit) error {
	images := "data:"
	if f.remote {
		images = "data: https: http:"
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox allow-popups allow-popups-to-escape-sandbox; img-src "+images+
		"; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, `<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light"><body>`+f.html)
	return nil // who does not read it any more has gone
}

// download sends the source of a message as a file.
func (c *Console) source(v *visit) (answer, error) {
	in, id, err := named(v)
	if err != nil {
		return nil, err
	}
	text, err := c.opts.Inboxes.Open(in, id)
	if err != nil {
		return nil, letterError(err)
	}
	return &file{name: id.String() + ".eml", kind: "message/rfc822", content: text}, nil
}

// part sends a part of a message as a file; a picture may be looked at.
func (c *Console) part(v *visit) (answer, error) {
	in, id, err := named(v)
	if err != nil {
		return nil, err
	}
	l, err := c.opts.Inboxes.Letter(v.Context(), in, id)
	if err != nil {
		return nil, letterError(err)
	}
	p := l.Part(v.PathValue("part"))
	if p == nil {
		return nil, noLetter()
	}
	if v.URL.Query().Get("thumb") == "1" {
		return c.thumbnail(v, p)
	}
	f := &file{name: nameOf(id, p), kind: "application/octet-stream", content: io.NopCloser(p.Open())}
	if isPicture(p.Type) {
		f.kind, f.look = p.Type, v.URL.Query().Get("look") == "1"
	}
	return f, nil
}

const (
	// thumbnailBox is how wide and high a small picture is, in pixels: twice what it is shown
	// in, for screens that have more of them.
	thumbnailBox = 160
	// maxPictures are made small at a time.
	maxPictures = 2
)

// thumbnail is a small picture of a part.
func (c *Console) thumbnail(v *visit, p *letter.Part) (answer, error) {
	select {
	case c.pictures <- struct{}{}:
		defer func() { <-c.pictures }()
	case <-v.Context().Done():
		return nil, v.Context().Err()
	}
	picture, err := p.Thumbnail(thumbnailBox)
	if err != nil {
		return nil, noLetter()
	}
	return &file{kind: letter.ThumbnailType, look: true, content: io.NopCloser(bytes.NewReader(picture))}, nil
}

// nameOf is the name under which a part is kept: no path, and nothing that cannot be seen.
func nameOf(id mail.ID, p *letter.Part) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, p.Name)
	if name = strings.Trim(name, ". "); name != "" && len(name) <= 200 {
		return name
	}
	ends, _ := mime.ExtensionsByType(p.Type) // a type that is none has no ending
	end := ".bin"
	if len(ends) > 0 {
		end = ends[0]
	}
	return id.String() + "-" + strings.ReplaceAll(p.Path, ".", "-") + end
}

// file is an answer that a browser keeps. It is of a stranger: it is nobody's, and runs
// nothing.
type file struct {
	name, kind string
	look       bool // the browser may show it
	content    io.ReadCloser
}

func (f *file) write(w http.ResponseWriter, v *visit) error {
	defer f.content.Close()
	h := w.Header()
	h.Set("Content-Security-Policy", nothing)
	h.Set("Content-Type", f.kind)
	if !f.look {
		h.Set("Content-Disposition", attachment(f.name))
	}
	control := http.NewResponseController(w)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(pace)) // not every server can
		if _, err := io.CopyN(w, f.content, 256<<10); err != nil {
			return nil // it is sent, or who reads it has gone
		}
		if v.Context().Err() != nil {
			return nil
		}
	}
}

// moodOfVerdict is the colour of what a host has found out.
func moodOfVerdict(v senderauth.Verdict) string {
	switch v {
	case senderauth.Pass:
		return "ok"
	case senderauth.Fail, senderauth.PermError:
		return "bad"
	case senderauth.SoftFail, senderauth.TempError, senderauth.Policy:
		return "warn"
	}
	return ""
}
