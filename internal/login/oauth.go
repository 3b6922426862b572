package login

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
)

// Tokens says whose a token is that somebody bears.
type Tokens interface {
	// Name returns the name of the account. An error that says why it is Refused is one
	// of the token; others are trouble that may pass.
	Name(ctx context.Context, token string) (string, error)
}

// refused is an error of a token.
type refused interface {
	error
	Refused() string
}

// canBear reports whether tokens are taken, and whose accounts they name can be found.
func (d *Door) canBear(*Visitor) bool { return d.opts.Tokens != nil && d.finder != nil }

// bearing is what a client says that bears a token.
type bearing struct{ identity, token string }

var errBearing = errors.New("it is malformed")

// parseOAuth reads what a client says by OAUTHBEARER (RFC 7628, 3.1). Its host and port
// are not looked at: TLS has told whom it speaks with.
func parseOAuth(said []byte) (b bearing, err error) {
	header, rest, ok := bytes.Cut(said, []byte{1})
	parts := strings.Split(string(header), ",")
	if !ok || len(parts) != 3 || parts[0] != "n" && parts[0] != "y" || parts[2] != "" {
		return b, errBearing
	}
	if parts[1] != "" {
		name, is := strings.CutPrefix(parts[1], "a=")
		if !is || name == "" {
			return b, errBearing
		}
		b.identity = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name) // RFC 5801, 4
	}
	b.token, err = parsePairs(rest)
	return b, err
}

// parseXOAUTH2 reads what a client says by XOAUTH2, which came before.
func parseXOAUTH2(said []byte) (b bearing, err error) {
	user, rest, ok := bytes.Cut(said, []byte{1})
	name, is := bytes.CutPrefix(user, []byte("user="))
	if !ok || !is {
		return b, errBearing
	}
	b.identity = string(name)
	b.token, err = parsePairs(rest)
	return b, err
}

// parsePairs reads pairs of a key and a value, each ended by 1 and all of them by another,
// and returns the token.
func parsePairs(said []byte) (token string, err error) {
	text, ended := strings.CutSuffix(string(said), "\x01\x01")
	if !ended {
		return "", errBearing
	}
	for pair := range strings.SplitSeq(text, "\x01") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return "", errBearing
		}
		if key != "auth" {
			continue
		}
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") || token != "" {
			return "", errBearing
		}
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return "", errBearing
	}
	return token, nil
}

// beginOAuth is OAUTHBEARER (RFC 7628).
func beginOAuth(x *Exchange) exchange { return &bearer{x: x, parse: parseOAuth, bad: "invalid_token"} }

// beginXOAUTH2 is XOAUTH2, as Google and Microsoft have described it.
func beginXOAUTH2(x *Exchange) exchange { return &bearer{x: x, parse: parseXOAUTH2, bad: "401"} }

// bearer is the server's side of both.
type bearer struct {
	x      *Exchange
	parse  func([]byte) (bearing, error)
	bad    string // the status of a token that is not good
	failed error  // it was told, and the client has yet to hear it
}

// Next implements exchange. A client is told in a challenge why its token is not good, and
// answers whatever it likes (RFC 7628, 3.2.3).
func (b *bearer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case b.failed != nil:
		return nil, false, b.failed
	case response == nil:
		return nil, false, nil
	}
	said, err := b.parse(response)
	if err != nil {
		return b.tell("invalid_request", b.x.refuse("the exchange is malformed"))
	}
	err = b.x.bear(said)
	var f *Failure
	if errors.As(err, &f) && f.Reply.Code.Permanent() {
		return b.tell(b.bad, f)
	}
	return nil, err == nil, err
}

func (b *bearer) tell(status string, why *Failure) ([]byte, bool, error) {
	b.failed, b.x.failed = why, why
	text, err := json.Marshal(map[string]string{"status": status, "schemes": "bearer"})
	return text, false, err
}

// bear lets in whose token is good. One without a name counts for its network alone.
func (x *Exchange) bear(said bearing) error {
	t, f := x.trying(cmp.Or(said.identity, "token"))
	if f != nil {
		return f
	}
	var no *Failure
	err := x.judge(t, func() (*directory.Account, error) {
		name, err := x.door.opts.Tokens.Name(x.ctx, said.token)
		var why refused
		if errors.As(err, &why) {
			no = x.refuse(why.Refused())
			return nil, directory.ErrNoLogin
		}
		if err != nil {
			return nil, err
		}
		if said.identity != "" && directory.FoldName(said.identity) != directory.FoldName(name) {
			no = x.refuse("the token is another's")
			return nil, directory.ErrNoLogin
		}
		account, err := x.door.finder.Find(x.ctx, name)
		if errors.Is(err, directory.ErrNoLogin) {
			no = x.refuse("the token is good, and there is no such user")
		}
		return account, err
	})
	if no != nil && errors.As(err, &f) {
		no.Account = f.Account
		return no
	}
	return err
}
