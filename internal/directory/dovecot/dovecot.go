// Package dovecot asks Dovecot who may log in, at the socket of its authentication
// service (Dovecot's auth protocol, version 1.1 or later, as clients speak it). In
// Dovecot's configuration:
//
//	service auth {
//	  unix_listener auth-posthouse {
//	    mode = 0660
//	    group = posthouse
//	  }
//	}
//
// Dovecot tells only whether a password is right. So there are the mechanisms that
// show it, and no account can be found without it. How long a wrong password takes
// is Dovecot's auth_failure_delay, which is the same for a name that nobody has.
package dovecot

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
)

// Options say where Dovecot is.
type Options struct {
	Socket string // the file
	// Dial connects to a "unix" address; nil: that of package net.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout is for one question; default 30 seconds. Dovecot may wait for a
	// database, and does wait before it says no.
	Timeout time.Duration
}

// Accounts are those that Dovecot knows. Make it with [New]. It may be used by many
// goroutines.
type Accounts struct {
	opts  Options
	slots chan struct{}
	asked atomic.Uint32
}

var _ directory.Accounts = (*Accounts)(nil)

// atATime is how many questions are asked at a time, each on a connection of its own.
const atATime = 64

// New makes accounts. Nobody is connected to yet.
func New(o Options) *Accounts {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	return &Accounts{opts: o, slots: make(chan struct{}, atATime)}
}

// Check implements [directory.Accounts].
func (a *Accounts) Check(ctx context.Context, name, password string) (*directory.Account, error) {
	if name == "" || len(name) > directory.MaxName || len(password) > maxPassword || strings.Contains(name+password, "\x00") {
		return nil, directory.ErrNoLogin
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		return nil, directory.ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, a.opts.Timeout)
	defer cancel()
	answer, err := a.ask(ctx, name, password)
	if err != nil {
		return nil, fmt.Errorf("ask Dovecot at %s: %w", a.opts.Socket, err)
	}
	return answer.account(name)
}

// maxPassword keeps a question within the 8192 octets that Dovecot reads of a line.
const maxPassword = 4096

// ask asks one question.
func (a *Accounts) ask(ctx context.Context, name, password string) (answer, error) {
	conn, err := a.opts.Dial(ctx, "unix", a.opts.Socket)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // it would name the socket again
		}
		return answer{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// Dovecot knows its clients by numbers that no two of them share at a time.
	hello := fmt.Sprintf("VERSION\t1\t1\nCPID\t%d\n", a.asked.Add(1)%(1<<31-1)+1)
	if _, err := conn.Write([]byte(hello)); err != nil {
		return answer{}, err
	}
	r := bufio.NewReaderSize(conn, maxLine)
	if err := handshake(r); err != nil {
		return answer{}, err
	}
	// Without an address of the client Dovecot's own penalty for failures would be
	// one for all of them; whoever asks us counts failures better.
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00" + password))
	if _, err := fmt.Fprintf(conn, "AUTH\t1\tPLAIN\tservice=smtp\tsecured\tnologin\tno-penalty\tresp=%s\n", plain); err != nil {
		return answer{}, err
	}
	return hear(r)
}

// Bounds of what is read.
const (
	maxLine  = 8192
	maxLines = 1000
)

var (
	errVersion = errors.New("it speaks another version of the protocol (1 is needed)")
	errPlain   = errors.New("it does not offer PLAIN (auth_mechanisms = plain)")
	errTalk    = errors.New("it says too much, and no answer")
)

// fields reads a line. The reader's error is never io.EOF alone: it says what is
// missing.
func fields(r *bufio.Reader) ([]string, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	return strings.Split(strings.TrimSuffix(string(line), "\n"), "\t"), nil
}

// handshake hears what Dovecot says of itself.
func handshake(r *bufio.Reader) error {
	plain := false
	for range maxLines {
		f, err := fields(r)
		if err != nil {
			return err
		}
		switch f[0] {
		case "VERSION":
			if len(f) < 2 || f[1] != "1" {
				return errVersion
			}
		case "MECH":
			plain = plain || len(f) > 1 && f[1] == "PLAIN"
		case "DONE":
			if !plain {
				return errPlain
			}
			return nil
		}
	}
	return errTalk
}

// answer is what Dovecot says of a password.
type answer struct {
	ok     bool
	fields []string
}

// hear waits for the answer to question 1.
func hear(r *bufio.Reader) (answer, error) {
	for range maxLines {
		f, err := fields(r)
		if err != nil {
			return answer{}, err
		}
		if len(f) < 2 || f[1] != "1" {
			continue
		}
		switch f[0] {
		case "OK":
			return answer{true, f[2:]}, nil
		case "FAIL":
			return answer{false, f[2:]}, nil
		case "CONT":
			return answer{}, errors.New("it asks for more, which PLAIN has not")
		}
	}
	return answer{}, errTalk
}

// account is whom Dovecot has let in. It may have put another name in the place of
// the one that was given, with a domain for instance.
func (a answer) account(name string) (*directory.Account, error) {
	switch {
	case !a.ok && slices.Contains(a.fields, "temp"):
		return nil, errors.New("it cannot find out now; Dovecot's log says why")
	case !a.ok:
		return nil, directory.ErrNoLogin
	}
	for _, f := range a.fields {
		if user, ok := strings.CutPrefix(f, "user="); ok {
			name = unescape.Replace(user)
		}
	}
	return &directory.Account{Name: directory.FoldName(name)}, nil
}

// unescape undoes how Dovecot writes what would end a field.
var unescape = strings.NewReplacer("\x011", "\x01", "\x01t", "\t", "\x01n", "\n", "\x01r", "\r", "\x010", "\x00")
