package forward

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
)

// Sealer seals what was found when a message came, which stands in our
// Authentication-Results.
type Sealer struct {
	Hostname string // ours: the authserv-id
	// Key is that with which is sealed now; false: there is none.
	Key func(now time.Time) (arc.Key, bool)
}

// Seal returns the fields of a seal. A message is not sealed if nothing was found about it, or
// if its chain cannot be extended.
func (s *Sealer) Seal(content mail.Content, now time.Time) ([]byte, error) {
	key, ok := s.Key(now)
	if !ok {
		return nil, nil
	}
	text, err := policy.ReadText(content)
	if err != nil {
		return nil, err
	}
	found, ok := s.found(text.Header)
	chain := arc.Result{Verdict: verdictOf(&found)}
	if !ok || chain.Verdict == senderauth.None && text.Header.Get("ARC-Seal") != nil {
		return nil, nil // the chain was not looked at
	}
	sealer, err := arc.NewSealer(text.Header, chain, found, key)
	switch {
	case errors.Is(err, arc.ErrSealed) || errors.Is(err, arc.ErrTooLong) || errors.Is(err, arc.ErrNoFrom):
		return nil, nil
	case err != nil:
		return nil, err
	}
	body, err := text.Body()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if _, err := io.Copy(sealer, body); err != nil {
		return nil, err
	}
	return sealer.Fields()
}

// found is what we have written about the message: no other field in our name was let in.
func (s *Sealer) found(h message.Header) (senderauth.Results, bool) {
	for _, f := range h {
		if !strings.EqualFold(f.Name(), "Authentication-Results") {
			continue
		}
		if r, err := senderauth.ParseResults(f.Value()); err == nil && strings.EqualFold(r.ID, s.Hostname) {
			return r, true
		}
	}
	return senderauth.Results{}, false
}

// verdictOf is what was found of the chain.
func verdictOf(r *senderauth.Results) senderauth.Verdict {
	for _, m := range r.Methods {
		if m.Method == "arc" {
			return m.Verdict
		}
	}
	return senderauth.None
}
