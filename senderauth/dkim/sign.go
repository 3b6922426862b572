package dkim

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

// Key is a key to sign with, and how.
type Key struct {
	// Domain and Selector say where the public key is published (see
	// [senderauth.FormatKey]): at Selector._domainkey.Domain.
	Domain, Selector string
	// Signer is an RSA key of 1,024 to 4,096 bits (RFC 8301 wants 2,048), or an
	// Ed25519 key. It may live elsewhere, as in an HSM.
	Signer crypto.Signer
	// SimpleHeader and SimpleBody ask for the form that no change of white
	// space survives. The default is relaxed for both.
	SimpleHeader, SimpleBody bool
	// Lifetime, if it is not zero, sets x=. Receivers may ignore it.
	Lifetime time.Duration
}

func (k Key) forms() (header, body senderauth.Canonicalization) {
	header, body = senderauth.Relaxed, senderauth.Relaxed
	if k.SimpleHeader {
		header = senderauth.Simple
	}
	if k.SimpleBody {
		body = senderauth.Simple
	}
	return header, body
}

// ErrNoFrom says that a message has no From field: RFC 6376, 5.4 wants it
// signed.
var ErrNoFrom = errors.New("dkim: the message has no From field")

// Signer signs one message with one or more keys. The body is written to it.
type Signer struct {
	header message.Header
	names  []string
	keys   []Key
	body   senderauth.Body
}

// NewSigner begins to sign a message. It keeps the header, which must be as it
// will be sent; fields that are added on top later do no harm. The error is
// [ErrNoFrom], or tells which key cannot be used.
func NewSigner(h message.Header, keys ...Key) (*Signer, error) {
	if h.Get("From") == nil {
		return nil, ErrNoFrom
	}
	s := &Signer{header: h, names: senderauth.NamesToSign(h)}
	for _, k := range keys {
		if err := checkKey(&k); err != nil {
			return nil, fmt.Errorf("dkim: key %s of %s: %w", k.Selector, k.Domain, err)
		}
		_, form := k.forms()
		s.body.Want(form)
		s.keys = append(s.keys, k)
	}
	return s, nil
}

func checkKey(k *Key) error {
	if k.Signer == nil {
		return errors.New("no private key")
	}
	_, err := senderauth.AlgorithmOf(k.Signer.Public())
	if err == nil {
		k.Domain, err = senderauth.ParseDomain(k.Domain)
	}
	if err == nil {
		k.Selector, err = senderauth.ParseDomain(k.Selector)
	}
	return err
}

// Write takes a piece of the body, of any size. It does not fail.
func (s *Signer) Write(p []byte) (int, error) { return s.body.Write(p) }

// Fields ends the body and returns the signature fields, in the order of the
// keys, folded, each with its final CRLF: they go on top of the message. The
// error is that of a crypto.Signer.
func (s *Signer) Fields() ([]byte, error) {
	var fields []byte
	now := time.Now()
	for _, k := range s.keys {
		f, err := s.sign(k, now)
		if err != nil {
			return nil, fmt.Errorf("dkim: sign for %s: %w", k.Domain, err)
		}
		fields = append(fields, f...)
	}
	return fields, nil
}

func (s *Signer) sign(k Key, now time.Time) ([]byte, error) {
	alg, err := senderauth.AlgorithmOf(k.Signer.Public())
	if err != nil {
		return nil, err
	}
	header, body := k.forms()
	sum, _ := s.body.Sum(body)
	tags := senderauth.TagList{
		{Name: "v", Value: "1"},
		{Name: "a", Value: string(alg)},
		{Name: "c", Value: header.String() + "/" + body.String()},
		{Name: "d", Value: k.Domain},
		{Name: "s", Value: k.Selector},
		{Name: "t", Value: strconv.FormatInt(now.Unix(), 10)},
	}
	if k.Lifetime > 0 {
		tags = append(tags, senderauth.Tag{Name: "x", Value: strconv.FormatInt(now.Add(k.Lifetime).Unix(), 10)})
	}
	tags = append(tags,
		senderauth.Tag{Name: "h", Value: strings.Join(s.names, ":")},
		senderauth.Tag{Name: "bh", Value: base64.StdEncoding.EncodeToString(sum)})
	return senderauth.SignField(k.Signer, header, s.header, s.names, fieldName, tags)
}

// Sign reads a message to its end and returns its signature fields, see
// [Signer.Fields]. Errors are those of [Verify], [NewSigner] and Fields.
func Sign(msg io.Reader, keys ...Key) ([]byte, error) {
	h, body, err := message.ReadHeader(msg, message.HeaderLimits{})
	if err != nil {
		return nil, err
	}
	s, err := NewSigner(h, keys...)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(s, body); err != nil {
		return nil, err
	}
	return s.Fields()
}
