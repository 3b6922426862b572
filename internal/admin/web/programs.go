package web

import (
	"encoding/json"
	"net/http"

	"github.com/posthouse/posthouse/internal/admin"
)

// programs says what answers programs: the control API, which the pages ask too, and what
// watches whether the house is well. That one learns nothing but yes or no without a login.
func (c *Console) programs() {
	c.mux.Handle("/v1/", c.beside(c.opts.API))
	c.mux.Handle("GET /v1/messages/{id}/text", c.besideFor(Operator, c.opts.API))
	c.mux.Handle("GET /metrics", c.beside(c.opts.API))
	c.mux.Handle("GET /livez", c.opts.API)
	c.mux.Handle("GET /readyz", c.opts.API)
}

// beside serves a handler of somebody else behind our guards.
func (c *Console) beside(h http.Handler) http.Handler {
	read, order := c.besideFor(Viewer, h), c.besideFor(Operator, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			read.ServeHTTP(w, r)
			return
		}
		order.ServeHTTP(w, r)
	})
}

func (c *Console) besideFor(right Right, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := c.visit(r)
		why := c.knock(v)
		if why == "" && v.who.right < right {
			why = "you may not"
		}
		if why != "" {
			refuseProgram(w, why, c.canLogIn())
			return
		}
		h.ServeHTTP(w, r.WithContext(admin.As(r.Context(), v.operator())))
	})
}

// knock lets a program in that brings a name and a password (RFC 7617), for this request.
// It says why not; "": it is in, or brings none. Nobody is asked for them by a challenge:
// a browser that has answered one would bring them with whatever other pages ask of us.
func (c *Console) knock(v *visit) (why string) {
	name, password, brought := v.BasicAuth()
	if !brought || v.who.name != "" {
		return ""
	}
	if !c.canLogIn() {
		return "nobody can log in here"
	}
	account, err := c.check(v, name, password)
	if err != nil {
		c.opts.Log.Warn("a program was not let into the console", "from", v.RemoteAddr, "why", err)
		return "that login is not right"
	}
	rights := c.opts.Rights()
	v.who = who{account, rights.of(account)}
	return ""
}

func refuseProgram(w http.ResponseWriter, why string, door bool) {
	f := admin.Fault{Status: http.StatusForbidden, Message: why}
	if door {
		f.Hint = "bring the name and the password of an account that console { viewers, operators } names"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(f) // else nobody reads it any more
}
