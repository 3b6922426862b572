package userfile

import "github.com/posthouse/posthouse/internal/password"

// SetPassword gives a user a password. What was kept for CRAM-MD5 is not any more. The
// error is [password.ErrPassword].
func (u *User) SetPassword(word string) error {
	prepared, err := password.Prepare(word)
	if err != nil {
		return err
	}
	u.SCRAM, u.Password, u.CRAM = password.NewSCRAM(prepared, password.SCRAMIterations), password.NewHash(prepared), nil
	return nil
}

// SetCRAM keeps what CRAM-MD5 needs of the user's password. The error is
// [password.ErrPassword].
func (u *User) SetCRAM(word string) error {
	prepared, err := password.Prepare(word)
	if err == nil {
		u.CRAM = password.NewCRAM(prepared)
	}
	return err
}
