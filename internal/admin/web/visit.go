package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxForm is the longest body of a request, in octets.
	maxForm = 256 << 10
	// patience is how long an answer may take that is not a stream.
	patience = time.Minute
	// pace is how long the other side may take to send what it asks, or to read an answer.
	pace = 30 * time.Second
)

// visit is a request, with who makes it and how that one wants to see things.
type visit struct {
	*http.Request
	console *Console
	who     who
	lang    *language
	theme   string // "light", "dark", or "": as the system has it
}

// answer is what a request comes to.
type answer interface {
	write(w http.ResponseWriter, v *visit) error
}

// redirect leads to a path of ours.
type redirect string

func (to redirect) write(w http.ResponseWriter, v *visit) error {
	http.Redirect(w, v.Request, string(to), http.StatusSeeOther)
	return nil
}

// cookieSet is an answer with a cookie.
type cookieSet struct {
	cookie *http.Cookie
	answer
}

func (a *cookieSet) write(w http.ResponseWriter, v *visit) error {
	http.SetCookie(w, a.cookie)
	return a.answer.write(w, v)
}

// drawn is a page.
type drawn struct {
	body    string // the template of what is in the layout
	section string // of the navigation
	status  int    // 0: 200
	data    any
	live    bool // it is drawn anew when something changes
}

func (a *drawn) write(w http.ResponseWriter, v *visit) error {
	var page bytes.Buffer // whole, so that an error of a template is no half page
	if err := v.console.pages.draw(&page, v, a); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	_, _ = page.WriteTo(w) // who does not read it any more has gone
	return nil
}

// own is a path of ours, and "/" in place of what leads elsewhere.
func own(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// action answers one kind of request.
type action func(v *visit) (answer, error)

// open answers everybody, may those who have a right.
func (c *Console) open(f action) http.Handler { return c.may(Nothing, f) }

func (c *Console) may(right Right, f action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		v := c.visit(r.WithContext(ctx))
		c.answer(w, v, right, f)
	})
}

// visit finds out who makes a request, and how that one wants to see things.
func (c *Console) visit(r *http.Request) *visit {
	return &visit{Request: r, console: c, who: c.whoIs(r), lang: languageOf(r), theme: themeOf(r)}
}

func (c *Console) answer(w http.ResponseWriter, v *visit, right Right, f action) {
	a, err := c.answerOf(w, v, right, f)
	if err == nil {
		err = a.write(w, v)
	}
	if err == nil {
		return
	}
	if err := c.faultOf(v, err).drawn().write(w, v); err != nil {
		c.opts.Log.Error("a page cannot be drawn", "path", v.URL.Path, "error", err)
		http.Error(w, "This page cannot be drawn. The log says more.", http.StatusInternalServerError)
	}
}

func (c *Console) answerOf(w http.ResponseWriter, v *visit, right Right, f action) (answer, error) {
	if v.who.right < right {
		return c.refuse(v)
	}
	if err := readForm(w, v.Request); err != nil {
		return nil, err
	}
	return f(v)
}

// refuse sends a guest to the door, and tells others that they may not.
func (c *Console) refuse(v *visit) (answer, error) {
	switch {
	case v.who.name == "" && c.canLogIn() && v.Method == http.MethodGet:
		return redirect("/login?next=" + url.QueryEscape(v.URL.RequestURI())), nil
	case v.who.name == "" && c.canLogIn():
		return redirect("/login"), nil
	}
	return nil, &fault{status: http.StatusForbidden, key: "error.may-not"}
}

// readForm reads what a request brings. Only forms come here, and they are small.
func readForm(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(pace)) // not every server can
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return &fault{status: http.StatusRequestEntityTooLarge, key: "error.too-long", args: []any{maxForm}}
	case err != nil:
		return &fault{status: http.StatusBadRequest, key: "error.unreadable"}
	}
	return nil
}

// stream answers those who may see mail with something that goes on as long as they
// look.
func (c *Console) stream(f action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // not every server can
		c.answer(w, c.visit(r), Viewer, f)
	})
}
