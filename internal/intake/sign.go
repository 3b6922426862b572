package intake

import (
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/senderauth/dkim"
	"github.com/posthouse/posthouse/senderauth/dmarc"
)

// signature is what stands above the text of a message that our people, programs or the house itself
// have written: the DKIM signatures of its author's domain. A message that cannot be signed
// goes without, and the log tells why.
func (t *transaction) signature(text mail.Content, now time.Time) string {
	if t.o.Keys == nil || t.submitted == nil && !t.inside {
		return ""
	}
	fields, err := t.o.sign(text, now)
	if err != nil {
		t.o.Log.Warn("a message goes without signature", "id", t.draft.ID(), "err", err)
	}
	return string(fields)
}

// sign returns the signatures for the author's domain; none if there are no keys for it, or
// if the message does not name one author's domain.
func (o *Options) sign(content mail.Content, now time.Time) ([]byte, error) {
	text, err := policy.ReadText(content)
	if err != nil {
		return nil, err
	}
	domains, err := dmarc.AuthorDomains(text.Header)
	if err != nil || len(domains) != 1 {
		return nil, nil // whom would the signature speak for?
	}
	keys := o.Keys(domains[0], now)
	if len(keys) == 0 {
		return nil, nil
	}
	signer, err := dkim.NewSigner(text.Header, keys...)
	if err != nil {
		return nil, err
	}
	body, err := text.Body()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if _, err := io.Copy(signer, body); err != nil {
		return nil, err
	}
	return signer.Fields()
}
