package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/internal/transport/pipe"
)

// Bounds of a program that prints a secret.
const (
	secretTime = 30 * time.Second
	maxSecret  = 64 << 10 // octets
)

// password reads a secret that is one line. What is wrong with it is noted.
func (b *builder) password(s *config.Secret) string {
	text, ok := b.secret(s)
	first, _, _ := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimRight(first, "\r")
	if ok && len(first) == 0 {
		b.add(s.Origin(), "the first line of %s is empty; it must be the password", s)
	}
	return string(first)
}

// secret reads a secret. What is wrong with it is noted, and never holds the secret.
func (b *builder) secret(s *config.Secret) (text []byte, ok bool) {
	text, err := b.world.secret(context.Background(), s)
	if err != nil {
		b.add(s.Origin(), "%v", err)
	}
	return text, err == nil
}

// secret reads a secret where the configuration says that it is.
func (w *World) secret(ctx context.Context, s *config.Secret) ([]byte, error) {
	switch {
	case s.File.Given():
		return w.private(s.File.Value)
	case s.Env.Given():
		return w.variable(s.Env.Value)
	case s.Command.Given():
		return w.printed(ctx, s.Command.Value)
	case s.Credential.Given():
		return w.credential(s.Credential.Value)
	}
	return nil, errors.New("there is no secret")
}

// private reads a file that nobody else may read.
func (w *World) private(name string) ([]byte, error) {
	text, err := w.readPrivate(name)
	var inner *fs.PathError
	switch {
	case errors.As(err, &inner):
		return nil, fmt.Errorf("cannot read %q: %w", name, inner.Err) // err would name the file again
	case err != nil:
		return nil, fmt.Errorf("cannot use %q: %w", name, err)
	}
	return text, nil
}

func (w *World) readPrivate(name string) ([]byte, error) {
	f, err := w.Files.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = plainfile.CheckPrivate(info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return plainfile.Read(f, maxFile)
}

func (w *World) variable(name string) ([]byte, error) {
	text, _ := w.Env(name)
	if text == "" {
		return nil, fmt.Errorf("the environment variable %s is not set; it must hold the secret", name)
	}
	return []byte(text), nil
}

// credentialsDirectory names the variable in which systemd says where credentials
// are (systemd.exec(5)).
const credentialsDirectory = "CREDENTIALS_DIRECTORY"

func (w *World) credential(name string) ([]byte, error) {
	dir, _ := w.Env(credentialsDirectory)
	if dir == "" {
		return nil, fmt.Errorf("there are no credentials, since systemd has not started this; the unit needs LoadCredential=%s:FILE", name)
	}
	return w.private(filepath.Join(dir, name))
}

// printed runs a program that prints a secret. What it says when it fails is not told:
// it may be the secret, too.
func (w *World) printed(ctx context.Context, argv []string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	var out printout
	status, err := w.Exec(limited, pipe.Command{Argv: argv, Dir: "/", Env: w.environment(), Input: bytes.NewReader(nil), Output: &out})
	switch {
	case limited.Err() != nil:
		return nil, fmt.Errorf("%s took longer than %s", argv[0], secretTime)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be run: %w", argv[0], err)
	case status.Signal != "":
		return nil, fmt.Errorf("%s was ended by a signal: %s", argv[0], status.Signal)
	case status.Exit != 0:
		return nil, fmt.Errorf("%s ended with status %d; what it says is not shown here, so run it by hand", argv[0], status.Exit)
	case out.over:
		return nil, fmt.Errorf("%s printed more than %d octets", argv[0], maxSecret)
	}
	return out.text, nil
}

// environment is what a program that prints a secret gets of ours: enough to find its
// own files.
func (w *World) environment() []string {
	env := []string{"PATH=/usr/bin:/bin"}
	if home, ok := w.Env("HOME"); ok {
		env = append(env, "HOME="+home)
	}
	return env
}

// printout is what a program prints, up to maxSecret.
type printout struct {
	text []byte
	over bool // there was more
}

// Write implements [io.Writer].
func (p *printout) Write(b []byte) (int, error) {
	room := maxSecret - len(p.text)
	p.over = p.over || len(b) > room
	p.text = append(p.text, b[:min(len(b), room)]...)
	return len(b), nil
}

// keyAgain reads the key of a certificate once more, if it is in a file that may have
// changed. What a program prints is asked for with a reload only.
func (w *World) keyAgain(p *pair) ([]byte, error) {
	if p.setting.Key.File.Given() || p.setting.Key.Credential.Given() {
		return w.secret(context.Background(), &p.setting.Key)
	}
	return p.key, nil
}
