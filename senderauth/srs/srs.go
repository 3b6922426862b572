// Package srs rewrites sender addresses for forwarding (the Sender Rewriting
// Scheme): a forwarder that keeps the sender's address fails the SPF of the
// sender's domain, so it sends with an address of its own domain from which it
// can tell, when a report comes back, who the sender was.
//
// The forms are those of the scheme, as other implementations write them:
//
//	jo@example.org             becomes  SRS0=HHHH=TT=example.org=jo@forwarder.example
//	SRS0=...@forwarder.example becomes  SRS1=HHHH=forwarder.example==...@second.example
//
// HHHH is a hash that nobody else can make, TT the day. Nobody but us reads
// either, but who forwards from us to a third rewrites SRS0 to SRS1.
package srs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/posthouse/posthouse/senderauth"
)

// Rewriter makes and reads addresses of one forwarder.
type Rewriter struct {
	// Domain is ours: reports for it must come to us. Required.
	Domain string
	// Secrets are keys of at least 16 octets. The first signs; all are good to
	// read, so that a new one can be put first. Required.
	Secrets [][]byte
	// Days is how long an address is good. Default 21, at most 500: a queue
	// gives up before, and reports come later still.
	Days int
}

// What may be wrong with an address that comes back.
var (
	ErrNotOurs = errors.New("srs: not a rewritten address of ours")
	ErrForged  = errors.New("srs: the hash is not ours")
	ErrExpired = errors.New("srs: the address has expired")
	// ErrUnfit says that an address cannot be rewritten: it has no domain, its
	// local part needs quotes, or the new one would have more than 255 octets.
	// (Every host must take 64, RFC 5321, 4.5.3.1.1; most take 255.)
	ErrUnfit = errors.New("srs: the address cannot be rewritten")
)

const (
	maxLocal = 255
	minimum  = 16 // octets of a secret
	hashLen  = 8  // characters of the hash: 40 bits
	days     = 1024
)

const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

var alphabet = base32.NewEncoding(chars).WithPadding(base32.NoPadding)

// Forward returns the address to forward with in place of sender. The null
// sender and those of our own domain stay as they are.
func (r *Rewriter) Forward(sender string, now time.Time) (string, error) {
	if err := r.check(); err != nil || sender == "" {
		return "", err
	}
	at := strings.LastIndexByte(sender, '@')
	if at < 1 {
		return "", ErrUnfit
	}
	local, domain := sender[:at], sender[at+1:]
	if strings.EqualFold(domain, r.Domain) {
		return sender, nil
	}
	if !isPlain(local) {
		return "", fmt.Errorf("%w: %.80q needs quotes", ErrUnfit, local)
	}
	if _, err := senderauth.ParseDomain(domain); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	rewritten := r.rewrite(local, domain, now)
	if len(rewritten) > maxLocal {
		return "", fmt.Errorf("%w: too long", ErrUnfit)
	}
	return rewritten + "@" + r.Domain, nil
}

func (r *Rewriter) rewrite(local, domain string, now time.Time) string {
	kind, rest := cutKind(local)
	switch kind {
	case '0': // another forwarder's: it alone can read what follows
		return r.signed("SRS1", domain+"="+rest)
	case '1': // keep the first forwarder, and leave out those between
		if _, payload, ok := strings.Cut(rest[1:], "="); ok && isChained(payload) {
			return r.signed("SRS1", payload)
		}
	}
	return r.signed("SRS0", stamp(now)+"="+domain+"="+local)
}

func (r *Rewriter) signed(kind, payload string) string {
	return kind + "=" + sign(r.Secrets[0], kind, payload) + "=" + payload
}

// isChained reports whether the payload of an SRS1 names a forwarder and what
// that one wrote, with its separator.
func isChained(payload string) bool {
	domain, rest, _ := strings.Cut(payload, "=")
	_, err := senderauth.ParseDomain(domain)
	return err == nil && rest != "" && isSeparator(rest[0])
}

// Reverse returns who stands behind an address of ours, to send a report to. An
// address that we did not make is [ErrNotOurs], [ErrForged] or [ErrExpired]:
// no mail may be sent for it, else anybody could relay through us.
func (r *Rewriter) Reverse(address string, now time.Time) (string, error) {
	if err := r.check(); err != nil {
		return "", err
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 || !strings.EqualFold(address[at+1:], r.Domain) {
		return "", ErrNotOurs
	}
	kind, rest := cutKind(address[:at])
	if kind == 0 {
		return "", ErrNotOurs
	}
	hash, payload, ok := strings.Cut(rest[1:], "=")
	if !ok || kind == '1' && !isChained(payload) {
		return "", ErrNotOurs
	}
	if !r.isSigned(hash, "SRS"+string(kind), payload) {
		return "", ErrForged
	}
	if kind == '1' {
		domain, rest, _ := strings.Cut(payload, "=")
		return "SRS0" + rest + "@" + domain, nil
	}
	return r.sender(payload, now)
}

// sender reads the payload of an SRS0 whose hash is good.
func (r *Rewriter) sender(payload string, now time.Time) (string, error) {
	day, rest, _ := strings.Cut(payload, "=")
	domain, local, ok := strings.Cut(rest, "=")
	if !ok {
		return "", ErrNotOurs
	}
	if r.isOld(day, now) {
		return "", ErrExpired
	}
	return local + "@" + domain, nil
}

func (r *Rewriter) check() error {
	if r.Domain == "" || len(r.Secrets) == 0 {
		return errors.New("srs: no domain or no secret")
	}
	for _, s := range r.Secrets {
		if len(s) < minimum {
			return fmt.Errorf("srs: a secret of less than %d octets", minimum)
		}
	}
	return nil
}

// cutKind returns '0' or '1' and what follows, the separator first; or 0. Case
// does not count, and other implementations separate with "-" or "+", too.
func cutKind(local string) (kind byte, rest string) {
	if len(local) < 6 || !strings.EqualFold(local[:3], "SRS") || !isSeparator(local[4]) {
		return 0, local
	}
	if local[3] != '0' && local[3] != '1' {
		return 0, local
	}
	return local[3], local[4:]
}

func isSeparator(c byte) bool { return c == '=' || c == '-' || c == '+' }

// sign returns the hash of a payload and its kind. The case of a local part may
// get lost on the way, so it does not count.
func sign(secret []byte, kind, payload string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(kind + strings.ToLower(payload)))
	return alphabet.EncodeToString(mac.Sum(nil))[:hashLen]
}

func (r *Rewriter) isSigned(hash, kind, payload string) bool {
	for _, secret := range r.Secrets {
		if hmac.Equal([]byte(strings.ToUpper(hash)), []byte(sign(secret, kind, payload))) {
			return true
		}
	}
	return false
}

// stamp is the day in two characters; it comes again after 1,024 days.
func stamp(now time.Time) string {
	day := now.Unix() / 86400 % days
	return string([]byte{chars[day/32], chars[day%32]})
}

func (r *Rewriter) isOld(day string, now time.Time) bool {
	limit := r.Days
	if limit <= 0 {
		limit = 21
	}
	for ago := range min(limit, 500) + 1 {
		if strings.EqualFold(stamp(now.AddDate(0, 0, -ago)), day) {
			return false
		}
	}
	return true
}

// isPlain reports whether a local part needs no quotes (RFC 5321, 4.1.2; RFC 6531).
func isPlain(local string) bool {
	for word := range strings.SplitSeq(local, ".") {
		if word == "" || strings.ContainsFunc(word, notInAtom) {
			return false
		}
	}
	return true
}

func notInAtom(r rune) bool {
	return r <= ' ' || r == 0x7f || r == 0xfffd || strings.ContainsRune(`()<>[]:;@\,"`, r)
}
