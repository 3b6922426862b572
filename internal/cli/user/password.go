package user

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/directory/userfile"
	"github.com/posthouse/posthouse/internal/password"
)

// source is where a password comes from.
type source struct {
	file    string
	cramMD5 bool
}

const cramFlag = "cram-md5"

func (s *source) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "password-file", "", `the password is the first line of this file; "-" is the standard input`)
	cmd.Flags().BoolVar(&s.cramMD5, cramFlag, false, "keep what CRAM-MD5 needs, too: weak, for devices that know nothing better")
}

// give gives a user the password, in all forms that [source.renew] may want.
func (s *source) give(cmd *cobra.Command, u *userfile.User) error {
	word, err := s.read(cmd)
	if err != nil {
		return err
	}
	if err := u.SetPassword(word); err != nil {
		return cli.Fail(cli.DataErr, "%w", err)
	}
	return u.SetCRAM(word)
}

// renew replaces what is kept of a user's password. For CRAM-MD5 something is kept if that
// is asked for; and if nothing is said, as before.
func (s *source) renew(cmd *cobra.Command, u, fresh *userfile.User) {
	wanted := s.cramMD5 || u.CRAM != nil && !cmd.Flags().Changed(cramFlag)
	u.Password, u.SCRAM, u.CRAM = fresh.Password, fresh.SCRAM, nil
	if wanted {
		u.CRAM = fresh.CRAM
	}
}

func (s *source) read(cmd *cobra.Command) (string, error) {
	in, isFile := cmd.InOrStdin().(*os.File)
	switch {
	case s.file != "" && s.file != "-":
		return cli.ReadSecret(s.file)
	case s.file == "" && isFile && term.IsTerminal(int(in.Fd())):
		return typedTwice(cmd.Context(), cmd.ErrOrStderr(), int(in.Fd()))
	}
	return firstLine(cmd.InOrStdin())
}

// firstLine reads a password that a program hands over.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 2*password.MaxPassword)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", cli.Fail(cli.NoInput, "%w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", cli.Fail(cli.NoInput, "the standard input is empty (its first line must be the password)")
	}
	return line, nil
}

// typedTwice asks for a password on the terminal.
func typedTwice(ctx context.Context, w io.Writer, terminal int) (string, error) {
	first, err := typed(ctx, w, terminal, "password: ")
	if err != nil {
		return "", err
	}
	second, err := typed(ctx, w, terminal, "again: ")
	if err == nil && first != second {
		err = cli.Fail(cli.DataErr, "the two are not the same (nothing was changed)")
	}
	return first, err
}

// typed reads a line that the terminal does not show. Whoever interrupts that leaves
// the reading behind, which nothing can end, but gets a terminal that shows what is typed.
func typed(ctx context.Context, w io.Writer, terminal int, prompt string) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", cli.Fail(cli.IOErr, "%w", err)
	}
	fmt.Fprint(w, prompt)
	defer fmt.Fprintln(w)
	type answer struct {
		password []byte
		err      error
	}
	read := make(chan answer, 1)
	go func() {
		password, err := term.ReadPassword(terminal)
		read <- answer{password, err}
	}()
	select {
	case a := <-read:
		if a.err != nil {
			return "", cli.Fail(cli.NoInput, "no password was typed: %w", a.err)
		}
		return string(a.password), nil
	case <-ctx.Done():
		return "", errors.Join(cli.Fail(cli.TempFail, "interrupted (nothing was changed)"), term.Restore(terminal, before))
	}
}
