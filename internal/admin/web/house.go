package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/posthouse/posthouse/internal/admin"
)

// maxAnswer is the longest answer of the control API that is read, in octets.
const maxAnswer = 64 << 20

// house is the control API, asked in the same process.
type house struct{ api http.Handler }

// ask makes a request in the name of a visitor. An error of the API is an [*admin.Fault].
func ask[T any](ctx context.Context, h house, v *visit, method, path string, query url.Values, body any) (answer T, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return answer, err
		}
	}
	at := url.URL{Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(admin.As(ctx, v.operator()), method, at.String(), bytes.NewReader(text))
	if err != nil {
		return answer, err
	}
	var heard listener
	h.api.ServeHTTP(&heard, req)
	if heard.long {
		return answer, errors.New("the answer of the control API is too long")
	}
	if heard.status != http.StatusOK {
		said := &admin.Fault{Status: heard.status}
		if err := json.Unmarshal(heard.body.Bytes(), said); err != nil {
			return answer, fmt.Errorf("the control API answers %d to %s %s", heard.status, method, path)
		}
		return answer, said
	}
	return answer, json.Unmarshal(heard.body.Bytes(), &answer)
}

func get[T any](v *visit, path string, query url.Values) (T, error) {
	return ask[T](v.Context(), v.console.api, v, http.MethodGet, path, query, nil)
}

// operator is the name under which orders are recorded.
func (v *visit) operator() string {
	if v.who.name == "" {
		return "console"
	}
	return v.who.name
}

// listener is the other side of an answer within the process.
type listener struct {
	header http.Header
	status int
	body   bytes.Buffer
	long   bool
}

func (l *listener) Header() http.Header {
	if l.header == nil {
		l.header = http.Header{}
	}
	return l.header
}

func (l *listener) WriteHeader(status int) { l.status = status }

func (l *listener) Write(p []byte) (int, error) {
	if l.status == 0 {
		l.status = http.StatusOK
	}
	if l.body.Len()+len(p) > maxAnswer {
		l.long = true
		return 0, http.ErrContentLength
	}
	return l.body.Write(p)
}
