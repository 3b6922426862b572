package milter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// Data implements [policy.Session].
func (s *session) Data(ctx context.Context, v *policy.Visit, text *policy.Text) policy.Opinion {
	return s.at(func() (policy.Opinion, error) {
		o, err := s.upTo(ctx, v, cmdData)
		if err == nil && o.Action == policy.Pass && !s.mute && !s.done {
			o, err = s.recipients(ctx, v)
		}
		if err != nil || s.mute || s.done || o.Action != policy.Pass {
			return o, err
		}
		return s.content(ctx, v, text)
	})
}

// recipients tells of those of whom it has not heard. What it says of one alone comes too late.
func (s *session) recipients(ctx context.Context, v *policy.Visit) (policy.Opinion, error) {
	for _, to := range v.To {
		if s.rcpts[to] {
			continue
		}
		o, err := s.rcpt(ctx, v, &smtp.Rcpt{To: to})
		if err != nil || s.done {
			return o, err
		}
	}
	return policy.Opinion{}, nil
}

// content tells of the message, and hears what is to be changed.
func (s *session) content(ctx context.Context, v *policy.Visit, text *policy.Text) (policy.Opinion, error) {
	macros := macros("i", id(v))
	if s.link.version >= versionOfData {
		if o, err := s.stage(ctx, ofMessage, sayData, macros); err != nil || s.done {
			return o, err
		}
	}
	if o, err := s.fields(ctx, text.Header, macros); err != nil || s.done {
		return o, err
	}
	if o, err := s.body(ctx, text); err != nil || s.done {
		return o, err
	}
	return s.end(ctx, macros)
}

func (s *session) fields(ctx context.Context, h message.Header, macros []byte) (policy.Opinion, error) {
	for _, f := range h {
		name := f.Name()
		if name == "" || s.link.skips&skipsFields != 0 {
			continue
		}
		o, err := s.piece(ctx, sayField, nil, texts(name, value(f, s.link.skips&keepsSpace != 0)))
		if err != nil || s.done {
			return o, err
		}
	}
	return s.piece(ctx, sayEndFields, macros)
}

// value is that of a field as programs expect it: lines end with LF, and the space behind
// the colon is left out unless they have asked for it.
func value(f message.RawField, space bool) string {
	_, v, _ := bytes.Cut(f, []byte(":"))
	text := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(string(v), "\n"), "\r"), "\r\n", "\n")
	if !space {
		text = strings.TrimPrefix(text, " ")
	}
	return text
}

// piece tells of a part of the message.
func (s *session) piece(ctx context.Context, c command, macros []byte, parts ...[]byte) (policy.Opinion, error) {
	p, err := s.ask(ctx, s.m.opts.Content, c, macros, parts...)
	if err != nil {
		return policy.Opinion{}, err
	}
	return s.opinion(p, ofMessage)
}

func (s *session) body(ctx context.Context, text *policy.Text) (policy.Opinion, error) {
	if s.link.skips&skipsBody != 0 {
		return policy.Opinion{}, nil
	}
	r, err := text.Body()
	if err != nil {
		return policy.Opinion{}, err
	}
	defer r.Close()
	buf := make([]byte, chunk)
	for {
		n, err := io.ReadFull(r, buf)
		if n == 0 && errors.Is(err, io.EOF) {
			return policy.Opinion{}, nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return policy.Opinion{}, err
		}
		p, err := s.ask(ctx, s.m.opts.Content, sayBody, nil, buf[:n])
		if err != nil || p.code == saysSkip {
			return policy.Opinion{}, err
		}
		if o, err := s.opinion(p, ofMessage); err != nil || s.done {
			return o, err
		}
	}
}

// end tells that the message is whole. Then come the changes, and at last the answer.
func (s *session) end(ctx context.Context, macros []byte) (policy.Opinion, error) {
	l, limit := s.link, s.m.opts.End
	s.changes = &changes{may: l.does, room: s.m.opts.BodySize}
	p, err := s.ask(ctx, limit, sayEnd, macros)
	for err == nil && isChange(p.code) {
		if err = s.changes.take(p); err == nil {
			release := l.bound(ctx, limit)
			p, err = l.hear(ctx, limit)
			release()
		}
	}
	if err != nil {
		return policy.Opinion{}, err
	}
	s.mailed = false // the transaction is over on its side
	o, err := s.opinion(p, ofMessage)
	if err != nil || o.Action != policy.Pass {
		return o, err
	}
	o.Edits, err = s.changes.edits()
	if s.changes.junk {
		o.Action, o.Reason = policy.Quarantine, s.changes.reason
	}
	return o, err
}

func isChange(code byte) bool {
	return slices.Contains([]byte{
		addsField, insertsField, changesField, replacesBody, changesSender, addsRcpt, addsRcptWith, removesRcpt, wantsItAsJunk,
	}, code)
}
