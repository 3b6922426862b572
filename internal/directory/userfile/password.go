package userfile

import "github.com/posthouse/posthouse/internal/password"

// SetPassword gives a user a password. The error is [password.ErrPassword].
func (u *User) SetPassword(word string) error {
	prepared, err := password.Prepare(word)
	if err != nil {
		return err
	}
	u.SCRAM, u.Password = password.NewSCRAM(prepared, password.SCRAMIterations), password.NewHash(prepared)
	return nil
}
