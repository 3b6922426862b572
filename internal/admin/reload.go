package admin

import (
	"errors"
	"net/http"

	"github.com/posthouse/posthouse/internal/config"
)

// Reloaded is what became of a reload.
type Reloaded struct {
	OK       bool            `json:"ok"`       // the new configuration holds; if not, that of before does
	Problems []ConfigProblem `json:"problems"` // what is wrong with the new one
}

// ConfigProblem is something that is wrong with a configuration.
type ConfigProblem struct {
	*Place
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Excerpt string `json:"excerpt,omitempty"` // the line, with a mark below the place
}

func (a *API) reload(r *http.Request) (any, error) {
	if a.opts.Reload == nil {
		return nil, &Fault{http.StatusNotImplemented, "this house cannot reload", "it runs without a configuration"}
	}
	err := a.opts.Reload(r.Context())
	a.logReload(r, err)
	done := Reloaded{OK: err == nil, Problems: []ConfigProblem{}}
	var ps config.Problems
	switch {
	case errors.As(err, &ps):
		for _, p := range ps {
			done.Problems = append(done.Problems, ConfigProblem{placeOf(p.Origin), p.Message, p.Hint, p.Excerpt()})
		}
	case err != nil && r.Context().Err() != nil:
		return nil, r.Context().Err()
	case err != nil:
		done.Problems = append(done.Problems, ConfigProblem{Message: err.Error()})
	}
	return done, nil
}

func (a *API) logReload(r *http.Request, err error) {
	who := operator(r.Context())
	if err != nil {
		a.opts.Log.Error("an operator wanted a reload; the configuration before stays in force", "by", who, "err", err)
		return
	}
	a.opts.Log.Info("an operator reloaded the configuration", "by", who)
}
