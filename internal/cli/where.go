package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/plainfile"
)

const (
	// SystemConfig is where a system has its configuration.
	SystemConfig = "/etc/posthouse/posthouse.hcl"
	// ConfigVariable names the environment variable that stands for --config.
	ConfigVariable = "POSTHOUSE_CONFIG"
	// DefaultData is the data directory of "posthouse run" without a configuration.
	DefaultData = "posthouse-data"
)

// Where is the house that a command speaks with.
type Where struct {
	Config   string // the configuration; "": there is none
	Data     string // the data directory
	Hostname string // what the configuration says, or the system
}

// FindHouse says where the house is. Both parameters are values of flags, and may
// be "": then the configuration is that of POSTHOUSE_CONFIG, or else that of the
// system if there is one; and the data directory is the one that it names, or else
// that of "posthouse run".
func FindHouse(configFile, data string) (Where, error) {
	w := Where{Config: cmp.Or(configFile, os.Getenv(ConfigVariable)), Data: data}
	if w.Config == "" && data == "" {
		if _, err := os.Stat(SystemConfig); !errors.Is(err, fs.ErrNotExist) {
			w.Config = SystemConfig
		}
	}
	if w.Config != "" {
		if err := w.glance(); err != nil {
			return Where{}, err
		}
	}
	w.Data = cmp.Or(w.Data, DefaultData)
	if w.Hostname == "" {
		w.Hostname, _ = os.Hostname()
	}
	w.Hostname = cmp.Or(w.Hostname, "localhost")
	return w, nil
}

func (w *Where) glance() error {
	f, err := plainfile.Disk{}.Open(w.Config)
	if err != nil {
		return unreadable(w.Config, err)
	}
	text, err := plainfile.Read(f, config.MaxFile)
	if err != nil {
		return unreadable(w.Config, err)
	}
	seen, err := config.Glance(w.Config, text, config.Options{Env: os.LookupEnv})
	if err != nil {
		return Fail(Config, "%w", err)
	}
	w.Data, w.Hostname = cmp.Or(w.Data, seen.Data.Value), seen.Hostname.Value
	return nil
}

func unreadable(name string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err // it would name the file again
	}
	if errors.Is(err, fs.ErrPermission) {
		return Fail(NoPerm, "%s: %w (it says where mail goes in, and holds no secrets: chmod a+r %[1]s)", name, err)
	}
	return Fail(NoInput, "%s: %w (--config FILE or %s names another)", name, err, ConfigVariable)
}

// ControlSocket is where the daemon is asked and steered.
func (w Where) ControlSocket() string { return filepath.Join(w.Data, "control.sock") }

// SubmitSocket is where the daemon takes mail from programs of this machine.
func (w Where) SubmitSocket() string { return filepath.Join(w.Data, maildrop.SubmitSocket) }

// DropDirectory is where programs leave mail while the daemon is away.
func (w Where) DropDirectory() string { return filepath.Join(w.Data, maildrop.Name) }
