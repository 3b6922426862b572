package login

import (
	"crypto/rand"
	"errors"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
)

func (d *Door) canCRAM(v *Visitor) bool { return v.CRAMMD5 && d.finder != nil }

// beginCRAM is CRAM-MD5 (RFC 2195): the server asks something new, and the client answers
// with its name, a space and a hash that only who has the password can make.
func beginCRAM(x *Exchange) exchange {
	challenge := ""
	return exchangeFunc(func(response []byte) ([]byte, bool, error) {
		switch {
		case challenge == "" && response == nil:
			challenge = "<" + rand.Text() + "@posthouse>" // in the form of a Message-ID, as RFC 2195, 2 has it
			return []byte(challenge), false, nil
		case challenge == "":
			return nil, false, x.refuse("the exchange is malformed") // nobody can answer what was not asked
		}
		err := x.answer(challenge, string(response))
		return nil, err == nil, err
	})
}

// answer lets in who answers a challenge as only the password makes it possible. For a name
// that nobody has, and for who is not to come in in this way, it reckons as much.
func (x *Exchange) answer(challenge, response string) error {
	at := strings.LastIndexByte(response, ' ')
	if at < 0 {
		return x.refuse("the exchange is malformed")
	}
	t, f := x.trying(response[:at])
	if f != nil {
		return f
	}
	return x.judge(t, func() (*directory.Account, error) {
		a, err := x.door.finder.Find(x.ctx, t.name)
		if err != nil && !errors.Is(err, directory.ErrNoLogin) {
			return nil, err
		}
		kept, ours := new(directory.CRAM), a != nil && a.CRAM != nil
		if ours {
			kept = a.CRAM
		}
		if answers := kept.Answers(challenge, response[at+1:]); !answers || !ours {
			return nil, directory.ErrNoLogin
		}
		return a, nil
	})
}
