package daemon

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport/pipe"
)

// tree is the files of a test; their names are absolute.
type tree fstest.MapFS

func (f tree) Open(name string) (fs.File, error) {
	return fstest.MapFS(f).Open(strings.TrimPrefix(name, "/"))
}
func (f tree) OpenIn(dir, name string) (fs.File, error) { return f.Open(dir + "/" + name) }

func given[T any](v T) config.Setting[T] {
	return config.Setting[T]{Value: v, Origin: mail.Origin{File: "main.hcl", Line: 1}}
}

// TestSecrets: from each place, and what is told where there is none.
func TestSecrets(t *testing.T) {
	const canary = "hush-hush-canary"
	w := &World{
		Files: tree{
			"etc/private": {Data: []byte(canary), Mode: 0o640}, "etc/open": {Data: []byte(canary), Mode: 0o644},
			"run/creds/provider": {Data: []byte(canary), Mode: 0o400},
		},
		Env: func(name string) (string, bool) {
			v, ok := map[string]string{"SECRET": canary, "EMPTY": "", credentialsDirectory: "/run/creds"}[name]
			return v, ok
		},
		Exec: func(ctx context.Context, c pipe.Command) (pipe.Status, error) {
			switch c.Argv[0] {
			case "/bin/prints":
				_, err := io.WriteString(c.Output, canary)
				return pipe.Status{Output: []byte("a warning")}, err
			case "/bin/fails":
				return pipe.Status{Exit: 3, Output: []byte(canary)}, nil
			case "/bin/dies":
				return pipe.Status{Signal: "killed", Output: []byte(canary)}, nil
			case "/bin/talks":
				_, err := io.WriteString(c.Output, strings.Repeat(canary, maxSecret))
				return pipe.Status{}, err
			case "/bin/hangs":
				<-ctx.Done()
				return pipe.Status{}, nil
			}
			return pipe.Status{}, errors.New("no such file or directory")
		},
	}
	program := func(name string) config.Secret { return config.Secret{Command: given([]string{name})} }
	for _, c := range []struct {
		secret config.Secret
		wrong  string // "": it is there
	}{
		{config.Secret{File: given("/etc/private")}, ""},
		{config.Secret{File: given("/etc/open")}, `cannot use "/etc/open": its mode is 0644, and it holds secrets: let it be 0600, or 0640 for a group that may read it`},
		{config.Secret{File: given("/etc/none")}, `cannot read "/etc/none": file does not exist`},
		{config.Secret{Env: given("SECRET")}, ""},
		{config.Secret{Env: given("EMPTY")}, "the environment variable EMPTY is not set; it must hold the secret"},
		{config.Secret{Credential: given("provider")}, ""},
		{config.Secret{Credential: given("none")}, `cannot read "/run/creds/none": file does not exist`},
		{program("/bin/prints"), ""},
		{program("/bin/fails"), "/bin/fails ended with status 3; what it says is not shown here, so run it by hand"},
		{program("/bin/dies"), "/bin/dies was ended by a signal: killed"},
		{program("/bin/talks"), "/bin/talks printed more than 65536 octets"},
		{program("/bin/hangs"), "/bin/hangs took longer than 30s"},
		{program("/bin/none"), "/bin/none cannot be run: no such file or directory"},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			text, err := w.secret(t.Context(), &c.secret)
			switch {
			case c.wrong == "" && (err != nil || string(text) != canary):
				t.Errorf("%s: %q, %v", &c.secret, text, err)
			case c.wrong != "" && (err == nil || err.Error() != c.wrong || text != nil):
				t.Errorf("%s: %q, %v", &c.secret, text, err)
			}
			if took := time.Since(began); took > secretTime {
				t.Errorf("%s: took %v", &c.secret, took)
			}
		})
	}
}
