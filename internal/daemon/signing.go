package daemon

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

// signers are the keys of our domains, of all stages.
type signers map[string][]dkimkeys.Key

// buildSigning reads the keys with which mail is signed: of each domain, of its other
// names, and of this host, whose reports are signed too.
func (b *builder) buildSigning(r *rooms) error {
	dir := filepath.Join(b.cfg.Data.Value, dkimkeys.Folder)
	r.signers = signers{}
	read := func(name string) error {
		keys, err := dkimkeys.Read(b.world.Files, dir, name)
		if len(keys) > 0 {
			r.signers[name] = keys
		}
		return err
	}
	for i := range b.cfg.Domains {
		d := &b.cfg.Domains[i]
		for _, name := range append([]string{d.Name}, d.Also.Value...) {
			if err := read(name); err != nil {
				b.add(d.Origin, "the keys of %s cannot be used: %v", name, err)
			}
		}
	}
	if host := b.cfg.Hostname.Value; r.signers[host] == nil {
		if err := read(host); err != nil {
			b.add(b.cfg.Hostname.Origin, "the keys of %s cannot be used: %v", host, err)
		}
	}
	return nil
}

// of returns what intake asks for keys; nil if there are none.
func (s signers) of() func(domain string, now time.Time) []dkim.Key {
	if len(s) == 0 {
		return nil
	}
	return s.signing
}

// signing are the keys that sign for a domain now: its own, or else those of the nearest
// domain above it, which speak for it too (RFC 9989, 4.4.1).
func (s signers) signing(domain string, now time.Time) []dkim.Key {
	for name := domain; name != ""; _, name, _ = strings.Cut(name, ".") {
		var keys []dkim.Key
		for i := range s[name] {
			if k := &s[name][i]; k.Stage(now) == dkimkeys.Signing {
				keys = append(keys, dkim.Key{Domain: k.Domain, Selector: k.Selector, Signer: k.Signer})
			}
		}
		if len(keys) > 0 {
			return keys
		}
	}
	return nil
}
