// Package client asks a running house by its control socket (package admin). The
// commands that see and steer a house are made of it.
//
// Errors carry the status that a command ends with, and say what to do.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
)

const (
	// maxAnswer is the longest answer that is read, in octets, but for texts.
	maxAnswer = 64 << 20
	connect   = 5 * time.Second
	patience  = 2 * time.Minute // until an answer begins
)

// Client asks one house. Make one with [New]; it may be used by many goroutines.
type Client struct {
	socket string
	http   http.Client
}

// New makes a client that has not asked anything yet.
func New(socket string) *Client {
	d := net.Dialer{Timeout: connect}
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		DisableCompression: true, ResponseHeaderTimeout: patience, MaxIdleConnsPerHost: 1,
	}}}
}

// Close ends the connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// do asks, and returns the answer if it is a success.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, cli.Fail(cli.Software, "%w", err)
		}
		text = bytes.NewReader(b)
	}
	at := url.URL{Scheme: "http", Host: "posthouse", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), text)
	if err != nil {
		return nil, cli.Fail(cli.Software, "%w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.away(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refused(resp)
}

// away says why nobody answers.
func (c *Client) away(ctx context.Context, err error) error {
	var dial *net.OpError
	switch {
	case ctx.Err() != nil:
		return cli.Fail(cli.TempFail, "ended before there was an answer")
	case errors.Is(err, fs.ErrPermission):
		return cli.Fail(cli.NoPerm, "you may not use %s (root may, the user whom posthouse runs as, and the group of the socket)", c.socket)
	case errors.As(err, &dial) && dial.Op == "dial":
		return cli.Fail(cli.Unavailable, "no posthouse answers at %s: %v (posthouse run starts one; "+
			"--config, --data or --socket say which one is meant)", c.socket, reason(dial.Err))
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // it would name a URL that is none
	}
	return cli.Fail(cli.IOErr, "%s: the answer was cut: %w", c.socket, err)
}

// reason is an error of the system without what is told already.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there any more"
	}
	return err.Error()
}

// refused makes an error of an answer that is no success.
func (c *Client) refused(resp *http.Response) error {
	f := &admin.Fault{}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || json.Unmarshal(b, f) != nil || f.Message == "" {
		return cli.Fail(cli.Protocol, "what answers at %s is no posthouse: %s", c.socket, resp.Status)
	}
	f.Status = resp.StatusCode
	return cli.Fail(statusOf(f.Status), "%w", f)
}

// IsMissing reports whether an error says that what was asked for is not there.
func IsMissing(err error) bool {
	var f *admin.Fault
	return errors.As(err, &f) && f.Status == http.StatusNotFound
}

// statusOf is how a command ends after an answer of HTTP.
func statusOf(code int) cli.Status {
	switch code {
	case http.StatusForbidden:
		return cli.NoPerm
	case http.StatusNotFound:
		return cli.NoInput
	case http.StatusConflict:
		return cli.DataErr
	case http.StatusNotImplemented:
		return cli.Unavailable
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return cli.TempFail
	case http.StatusInternalServerError:
		return cli.Software
	}
	return cli.Usage
}

// ask reads the answer to a request into v.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body, v any) error {
	resp, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.away(ctx, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return cli.Fail(cli.Protocol, "what answers at %s is not understood: %w (is it a posthouse of another version?)", c.socket, err)
	}
	return nil
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var v T
	err := c.ask(ctx, http.MethodGet, path, query, nil, &v)
	return v, err
}

// values makes a query of keys and values; what is "" is left out.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func number(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Status says how the house is.
func (c *Client) Status(ctx context.Context) (admin.Status, error) {
	return get[admin.Status](ctx, c, "/v1/status", nil)
}

// List returns a page of the queue. With a limit of 0 it is as long as it may be.
func (c *Client) List(ctx context.Context, filter, after string, limit int) (admin.QueuePage, error) {
	return get[admin.QueuePage](ctx, c, "/v1/queue", values("filter", filter, "after", after, "limit", number(limit)))
}

// Tally counts a part of the queue.
func (c *Client) Tally(ctx context.Context, filter, after string) (admin.Tally, error) {
	return get[admin.Tally](ctx, c, "/v1/queue/tally", values("filter", filter, "after", after))
}

// Order gives an order about a page of the queue.
func (c *Client) Order(ctx context.Context, req admin.OrderRequest) (done admin.OrderResult, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/queue/orders", nil, req, &done)
	return done, err
}

// Destinations returns a page of the destinations.
func (c *Client) Destinations(ctx context.Context, after string, limit int) (admin.DestinationPage, error) {
	return get[admin.DestinationPage](ctx, c, "/v1/destinations", values("after", after, "limit", number(limit)))
}

// Message returns a message in the queue, with a page of its recipients.
func (c *Client) Message(ctx context.Context, id, after string) (admin.Message, error) {
	return get[admin.Message](ctx, c, "/v1/messages/"+url.PathEscape(id), values("after", after))
}

// Text returns the text of a message, to be closed. A read error means that it is
// not whole.
func (c *Client) Text(ctx context.Context, id string) (io.ReadCloser, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/messages/"+url.PathEscape(id)+"/text", nil, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Story returns a page of what the journal tells of a message.
func (c *Client) Story(ctx context.Context, id, after string) (admin.Story, error) {
	return get[admin.Story](ctx, c, "/v1/messages/"+url.PathEscape(id)+"/story", values("after", after))
}

// Question is what Explain asks.
type Question struct{ To, From, Client, Login, Size string }

// Explain tells the way of mail.
func (c *Client) Explain(ctx context.Context, q Question) (admin.Explanation, error) {
	return get[admin.Explanation](ctx, c, "/v1/explain",
		values("to", q.To, "from", q.From, "client", q.Client, "login", q.Login, "size", q.Size))
}

// Reload has the configuration read again.
func (c *Client) Reload(ctx context.Context) (done admin.Reloaded, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/reload", nil, nil, &done)
	return done, err
}

// Check has the spool read. Progress hears how far it has come, and may be nil.
func (c *Client) Check(ctx context.Context, progress func(read, total int64)) (*admin.Checked, error) {
	resp, err := c.do(ctx, http.MethodPost, "/v1/spool/check", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	for {
		var line admin.CheckLine
		switch err := dec.Decode(&line); {
		case err != nil:
			return nil, c.away(ctx, fmt.Errorf("the check did not come to its end: %w", err))
		case line.Fault != nil:
			return nil, cli.Fail(statusOf(line.Fault.Status), "%w", line.Fault)
		case line.Done != nil:
			return line.Done, nil
		case progress != nil:
			progress(line.Read, line.Total)
		}
	}
}
