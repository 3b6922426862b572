package client

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
)

// SocketVariable names the environment variable that stands for --socket.
const SocketVariable = "POSTHOUSE_SOCKET"

// Flags are those that say which house is meant.
type Flags struct{ Socket, Config, Data string }

// Add adds the flags to a command and those below it.
func (f *Flags) Add(cmd *cobra.Command) {
	set := cmd.PersistentFlags()
	set.StringVar(&f.Socket, "socket", "", "`FILE` of the daemon's control socket (or "+SocketVariable+")")
	set.StringVar(&f.Config, "config", "", "`FILE` of the daemon's configuration, which names its data directory")
	set.StringVar(&f.Data, "data", "", "`DIR` with the daemon's data, where its control socket is")
}

// Client finds the socket: by --socket, by --config or --data, by the environment,
// and else where package cli finds a house that is not named.
func (f *Flags) Client() (*Client, error) {
	if f.Socket != "" {
		return New(f.Socket), nil
	}
	if at := os.Getenv(SocketVariable); at != "" && f.Config == "" && f.Data == "" {
		return New(at), nil
	}
	where, err := cli.FindHouse(f.Config, f.Data)
	if err != nil {
		return nil, err
	}
	return New(where.ControlSocket()), nil
}
