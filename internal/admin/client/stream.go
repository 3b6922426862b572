package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
)

// streamed is an event of a stream, as in HTML, 9.2.
type streamed struct{ name, id, data string }

// maxStreamed is the longest line of a stream, in octets.
const maxStreamed = 4 << 20

// listen hears a stream until it ends, or until hear returns an error, which is
// returned. io.EOF from hear is an end as it should be; if ctx ends, its error is
// returned as it is.
func (c *Client) listen(ctx context.Context, path string, query url.Values, hear func(e *streamed) error) error {
	resp, err := c.do(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = readStream(resp.Body, hear)
	_, told := cli.StatusOf(err)
	switch {
	case err == io.EOF:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && told:
		return err
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return c.away(ctx, fmt.Errorf("the house does not tell more: %w", err))
}

func readStream(r io.Reader, hear func(e *streamed) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxStreamed)
	var e streamed
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if e.data != "" {
				if err := hear(&e); err != nil {
					return err
				}
			}
			e = streamed{}
		case key == "event":
			e.name = value
		case key == "id":
			e.id = value
		case key == "data" && e.data == "":
			e.data = value
		}
	}
	return lines.Err()
}

func understand[T any](e *streamed) (T, error) {
	var v T
	if err := json.Unmarshal([]byte(e.data), &v); err != nil {
		return v, cli.Fail(cli.Protocol, "what the house tells is not understood: %w (is it a posthouse of another version?)", err)
	}
	return v, nil
}

// Sessions returns who speaks with the house.
func (c *Client) Sessions(ctx context.Context) (admin.SessionPage, error) {
	return get[admin.SessionPage](ctx, c, "/v1/sessions", nil)
}

// Session returns one session with its lines.
func (c *Client) Session(ctx context.Context, number uint64) (admin.Session, error) {
	return get[admin.Session](ctx, c, sessionPath(number), nil)
}

// CutSession closes the connection of a session.
func (c *Client) CutSession(ctx context.Context, number uint64) (done admin.CutResult, err error) {
	err = c.ask(ctx, http.MethodPost, sessionPath(number)+"/cut", nil, nil, &done)
	return done, err
}

// FollowSession tells hear each line of a session, from the first that is kept on, and
// returns how it stands when it has ended.
func (c *Client) FollowSession(ctx context.Context, number uint64, hear func(*admin.TraceLine) error) (end admin.Session, err error) {
	err = c.listen(ctx, sessionPath(number)+"/follow", nil, func(e *streamed) error {
		if e.name == "end" {
			if end, err = understand[admin.Session](e); err != nil {
				return err
			}
			return io.EOF
		}
		line, err := understand[admin.TraceLine](e)
		if err != nil {
			return err
		}
		return hear(&line)
	})
	return end, err
}

func sessionPath(number uint64) string { return "/v1/sessions/" + strconv.FormatUint(number, 10) }
