package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/spool"
)

const (
	// maxRequest is the longest body of a request, in octets.
	maxRequest = 64 << 10
	// patience is how long an answer may take that is not a stream.
	patience = time.Minute
	// pace is how long the other side may take to read what is written at once.
	pace = 30 * time.Second
)

// Fault is the answer to a request that was no success. It is an error.
type Fault struct {
	Status  int    `json:"status"` // of HTTP
	Message string `json:"error"`
	Hint    string `json:"hint,omitempty"` // what to do about it
}

func (f *Fault) Error() string {
	if f.Hint == "" {
		return f.Message
	}
	return f.Message + " (" + f.Hint + ")"
}

// wrong is the fault of whoever asks.
func wrong(format string, args ...any) *Fault {
	return &Fault{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// missing is about something that is not there.
func missing(format string, args ...any) *Fault {
	return &Fault{Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...)}
}

func nowhere(r *http.Request) (any, error) {
	return nil, missing("there is no %s %s", r.Method, r.URL.Path)
}

// answer makes the answer to a request.
type answer func(r *http.Request) (any, error)

// json makes a handler of an answer.
func (a *API) json(f answer) http.Handler {
	return a.bounded(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		v, err := f(r.WithContext(ctx))
		if err != nil {
			a.fault(w, r, err)
			return
		}
		write(w, http.StatusOK, v)
	})
}

// bounded reads the body of a request before it is answered.
func (a *API) bounded(f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := readBody(w, r); err != nil {
			w.Header().Set("Connection", "close")
			a.fault(w, r, err)
			return
		}
		f(w, r)
	})
}

// readBody replaces the body of a request by what it says. The time for it stays
// bounded if it does not come, for then the server waits for the rest.
func readBody(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(headTime)) // not every server can
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err == nil {
		_ = c.SetReadDeadline(time.Time{})
	}
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return &Fault{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is longer than %d octets", maxRequest), ""}
	case err != nil:
		return &Fault{http.StatusRequestTimeout, "the request did not come: " + err.Error(), ""}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// write sends a value; an error means that nobody reads it any more.
func write(w http.ResponseWriter, status int, v any) {
	header(w, "application/json")
	w.WriteHeader(status)
	_ = encoder(w).Encode(v)
}

func header(w http.ResponseWriter, kind string) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pace)) // not every server can
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

func encoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // "<a@b.example>" is for people too
	return enc
}

// fault answers with what is wrong.
func (a *API) fault(w http.ResponseWriter, r *http.Request, err error) {
	f := a.faultOf(r, err)
	write(w, f.Status, f)
}

func (a *API) faultOf(r *http.Request, err error) *Fault {
	var f *Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, spool.ErrNotFound):
		return &Fault{http.StatusNotFound, err.Error(), "posthouse why ID tells of what has left the queue"}
	case errors.Is(err, spool.ErrDamaged):
		return &Fault{http.StatusConflict, err.Error(), "posthouse spool check tells more"}
	case errors.Is(err, spool.ErrFailed), errors.Is(err, spool.ErrClosed), errors.Is(err, dispatch.ErrStopped):
		return &Fault{http.StatusServiceUnavailable, "the house is closing: " + err.Error(), "its log says why"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Fault{http.StatusGatewayTimeout, "that took more than " + patience.String(), "ask for less at a time"}
	case errors.Is(err, context.Canceled):
		return &Fault{http.StatusServiceUnavailable, "the request was ended", ""}
	}
	a.opts.Log.Error("a request of an operator was not answered", "path", r.URL.Path, "error", err)
	return &Fault{http.StatusInternalServerError, err.Error(), "the log of the house may say more"}
}

// read reads the body of a request, which is one JSON object.
func read(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more behind the object")
		}
	}
	if err != nil {
		return wrong("the request is no JSON object of the kind that is wanted: %v", err)
	}
	return nil
}

// asked is the query of a request, of which every key is known.
func asked(r *http.Request, keys ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, wrong("the query cannot be read: %v", err)
	}
	for k, v := range q {
		switch {
		case !slices.Contains(keys, k):
			return nil, wrong("%q is not to be asked for here", k)
		case len(v) > 1:
			return nil, wrong("%q is given more than once", k)
		}
	}
	return q, nil
}

// limit reads how many are wanted; 0: as many as there are in a page.
func limit(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, wrong("limit %q is no number from 1 upward", s)
	}
	return n, nil
}
