package admin

import (
	"fmt"
	"net/http"
)

// Live says that the process answers. It asks nobody.
func (a *API) Live(w http.ResponseWriter, _ *http.Request) {
	header(w, "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// Ready says whether mail is taken in and sent out: 200, or 503 and why not.
func (a *API) Ready(w http.ResponseWriter, r *http.Request) {
	status, why := http.StatusOK, "ok"
	stats, err := a.opts.Spool.Stats(r.Context())
	if err == nil {
		_, err = a.opts.Dispatch.Load(r.Context())
	}
	switch {
	case err != nil:
		status, why = http.StatusServiceUnavailable, err.Error()
	case a.opts.Draining != nil && a.opts.Draining():
		status, why = http.StatusServiceUnavailable, "this node is draining: clients are told 421"
	case stats.Refusing:
		status, why = http.StatusServiceUnavailable, "the disk is nearly full: new mail is told 452"
	}
	header(w, "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, why)
}
