package login

import (
	"errors"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/internal/directory"
)

// knowsCertificate reports whether the visitor has shown a certificate that the listener
// trusts, and that it can be found out whose it is.
func (d *Door) knowsCertificate(v *Visitor) bool {
	return d.finder != nil && len(v.TLS.VerifiedChains) > 0 && len(names(v)) > 0
}

// names are those of the certificate's owner: its addresses, or else its common name.
func names(v *Visitor) []string {
	c := v.TLS.VerifiedChains[0][0]
	if len(c.EmailAddresses) > 0 {
		return c.EmailAddresses
	}
	if c.Subject.CommonName != "" {
		return []string{c.Subject.CommonName}
	}
	return nil
}

// beginExternal is EXTERNAL (RFC 4422, appendix A): the certificate says who it is.
func beginExternal(x *Exchange) exchange {
	return sasl.NewExternalServer(func(identity string) error {
		for _, name := range names(&x.visitor) {
			if identity != "" && directory.FoldName(identity) != directory.FoldName(name) {
				continue
			}
			a, err := x.door.finder.Find(x.ctx, name)
			switch {
			case err == nil:
				x.account = a
				return nil
			case !errors.Is(err, directory.ErrNoLogin):
				return x.later("it could not be found out", err)
			}
		}
		return x.refuse("the certificate is nobody's here, or of another")
	})
}
