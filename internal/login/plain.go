package login

import (
	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/internal/directory"
)

// beginPlain is PLAIN (RFC 4616).
func beginPlain(x *Exchange) exchange {
	return sasl.NewPlainServer(func(identity, name, password string) error {
		if identity != "" && directory.FoldName(identity) != directory.FoldName(name) {
			return x.refuse("nobody acts for another here")
		}
		return x.check(name, password)
	})
}

// check lets in whose password is right.
func (x *Exchange) check(name, password string) error {
	t, f := x.trying(name)
	if f != nil {
		return f
	}
	return x.judge(t, func() (*directory.Account, error) { return x.door.opts.Accounts.Check(x.ctx, t.name, password) })
}

// beginLogin is LOGIN (draft-murchison-sasl-login-00): the name and the password, each
// asked for with words that some clients wait for.
func beginLogin(x *Exchange) exchange {
	var asked int
	var name string
	return exchangeFunc(func(response []byte) ([]byte, bool, error) {
		if response != nil {
			asked = max(asked, 1) // the name may come along with AUTH
		}
		asked++
		switch asked {
		case 1:
			return []byte("Username:"), false, nil
		case 2:
			name = string(response)
			return []byte("Password:"), false, nil
		}
		err := x.check(name, string(response))
		return nil, err == nil, err
	})
}
