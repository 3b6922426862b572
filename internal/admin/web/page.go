package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
)

//go:embed templates
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// view is a page that shows how something is now.
type view struct {
	body    string // its template
	section string // of the navigation
	topic   Topic  // what it is drawn anew for
	data    func(v *visit) (any, error)
	table   action // the same as a file for spreadsheets; nil: there is none
}

// pageHandler answers with a page; or, if it is asked to from within, with the part of
// it that is drawn anew.
type pageHandler struct {
	view
	console *Console
}

func (c *Console) page(p view) http.Handler { return &pageHandler{p, c} }

func (p *pageHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if v, is := r.Context().Value(fragmentKey{}).(*visit); is {
		part := *v
		part.Request = r
		p.serveFragment(w, &part)
		return
	}
	p.console.may(Viewer, func(v *visit) (answer, error) {
		if p.table != nil && v.URL.Query().Get("format") == "csv" {
			return p.table(v)
		}
		data, err := p.data(v)
		return &drawn{body: p.body, section: p.section, data: data, live: p.topic != TopicNone}, err
	}).ServeHTTP(w, r)
}

func (p *pageHandler) serveFragment(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	v.Request = v.Request.WithContext(ctx)
	var part bytes.Buffer
	data, err := p.data(v)
	if err == nil && v.who.right >= Viewer {
		err = p.console.pages.drawBody(&part, v, p.body, data)
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError) // the picture of before stays
		return
	}
	_, _ = part.WriteTo(w)
}

// pages are the templates, once for each language.
type pages struct {
	in      map[*language]*template.Template
	version string // of the files of static, in their paths
}

// parsePages reads what is built in: that it cannot be read is a fault of the program.
func parsePages() *pages {
	p := &pages{in: map[*language]*template.Template{}, version: versionOf(staticFiles)}
	for i := range languages {
		l := &languages[i]
		p.in[l] = template.Must(template.New("").Funcs(l.functions()).Funcs(newPhrasebook(l).functions()).ParseFS(templateFiles, "templates/*.html"))
	}
	return p
}

// versionOf names the content of files, so that browsers may keep them for ever.
func versionOf(files fs.FS) string {
	h := sha256.New()
	names, _ := fs.Glob(files, "static/*") // the pattern is well-formed
	for _, name := range names {
		text, _ := fs.ReadFile(files, name) // it is in the program
		h.Write(append([]byte(name), text...))
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// scene is what a template sees.
type scene struct {
	visit   *visit
	pages   *pages
	Section string
	Live    bool
	D       any           // what the page is about
	Body    template.HTML // in the layout: what stands in it, drawn by a template
}

// Static is the path of a file of static.
func (s *scene) Static(file string) string { return path.Join("/static", s.pages.version, file) }

// Title is what a page is about beside its section; "": nothing.
func (s *scene) Title() string {
	if d, is := s.D.(interface{ Title() string }); is {
		return d.Title()
	}
	return ""
}

// Here is the path of the page with its query.
func (s *scene) Here() string { return s.visit.URL.RequestURI() }

// Operator reports whether who looks may give orders.
func (s *scene) Operator() bool { return s.visit.who.right >= Operator }

// Viewer reports whether who looks may see mail.
func (s *scene) Viewer() bool { return s.visit.who.right >= Viewer }

// User is the account of who looks.
func (s *scene) User() string { return s.visit.who.name }

// CanLogIn reports whether there is a door.
func (s *scene) CanLogIn() bool { return s.visit.console.canLogIn() }

// Theme is "light", "dark" or "auto".
func (s *scene) Theme() string {
	if s.visit.theme == "" {
		return "auto"
	}
	return s.visit.theme
}

// Lang is the tag of the language.
func (s *scene) Lang() string { return s.visit.lang.tag }

// Hostname is that of the house.
func (s *scene) Hostname() string { return s.visit.console.opts.Hostname }

// Version is that of the program.
func (s *scene) Version() string { return s.visit.console.opts.Version }

func (p *pages) drawBody(to *bytes.Buffer, v *visit, body string, data any) error {
	return p.in[v.lang].ExecuteTemplate(to, body, &scene{visit: v, pages: p, D: data})
}

// draw draws a page in the layout.
func (p *pages) draw(to *bytes.Buffer, v *visit, a *drawn) error {
	var body bytes.Buffer
	if err := p.drawBody(&body, v, a.body, a.data); err != nil {
		return err
	}
	return p.in[v.lang].ExecuteTemplate(to, "layout", &scene{
		visit: v, pages: p, Section: a.section, Live: a.live, Body: template.HTML(body.String()), D: a.data,
	})
}

// kinds of the files of static.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// static serves a file of the program. Its path changes with its content.
func (c *Console) static(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	kind, known := kinds[path.Ext(file)]
	text, err := staticFiles.ReadFile("static/" + file)
	if err != nil || !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	if r.PathValue("version") == c.pages.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(text) // who does not read it has gone
}

// section is an entry of the navigation.
type section struct{ Name, Path, Shortcut string }

// Key is that of its name.
func (s section) Key() string { return "nav." + s.Name }

// Sections are those that this house has.
func (s *scene) Sections() []section { return s.visit.console.sections() }

func (c *Console) sections() []section {
	var all []section
	if c.opts.Inboxes != nil {
		all = append(all, section{"inbox", "/inbox", "i"})
	}
	all = append(all, section{"queue", "/queue", "q"})
	if c.offers.find {
		all = append(all, section{"find", "/find", "f"})
	}
	if c.offers.sessions {
		all = append(all, section{"sessions", "/sessions", "s"})
	}
	if c.offers.overview {
		all = append(all, section{"overview", "/overview", "o"})
	}
	return append(all, section{"explain", "/explain", "e"})
}

// attachment is a Content-Disposition under which a browser keeps a file, and does not
// show it.
func attachment(name string) string {
	if s := mime.FormatMediaType("attachment", map[string]string{"filename": name}); s != "" {
		return s
	}
	return "attachment"
}
