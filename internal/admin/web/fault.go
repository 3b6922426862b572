package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/posthouse/posthouse/internal/admin"
)

// fault is a request that was no success, told in the words of a page or in those of
// the control API. It is an error.
type fault struct {
	status  int
	key     string // of the message table; "": there is a message
	args    []any
	message string
	hint    string // what to do about it
}

func (f *fault) Error() string {
	if f.key != "" {
		return f.key
	}
	return f.message
}

// faultData is what the page for faults shows.
type faultData struct {
	Status  int
	Key     string
	Args    []any
	Message string
	Hint    string
}

func (f *fault) drawn() *drawn {
	return &drawn{body: "fault", status: f.status, data: faultData{f.status, f.key, f.args, f.message, f.hint}}
}

// faultOf says what a person is told of an error.
func (c *Console) faultOf(v *visit, err error) *fault {
	var f *fault
	var said *admin.Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &said):
		return &fault{status: said.Status, message: said.Message, hint: said.Hint}
	case errors.Is(err, context.DeadlineExceeded):
		return &fault{status: http.StatusGatewayTimeout, key: "error.slow"}
	case errors.Is(err, context.Canceled):
		return &fault{status: http.StatusServiceUnavailable, key: "error.ended"}
	}
	c.opts.Log.Error("a page was not made", "path", v.URL.Path, "error", err)
	return &fault{status: http.StatusInternalServerError, key: "error.internal"}
}

// isMissing reports whether an error says that what was asked for is not there.
func isMissing(err error) bool {
	var said *admin.Fault
	return errors.As(err, &said) && said.Status == http.StatusNotFound
}

// Fault is what a page says of a fault, in its language.
func (s *scene) Fault() string {
	d, _ := s.D.(faultData)
	return s.visit.lang.say(d.Key, d.Args...)
}
