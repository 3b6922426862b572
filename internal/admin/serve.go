package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// SocketName is the name of the socket in the data directory.
const SocketName = "control.sock"

// Bounds of a connection.
const (
	headTime  = 10 * time.Second // to send a request
	idleTime  = 2 * time.Minute
	maxHeader = 16 << 10 // octets
	lastWords = 2 * time.Second
	maxPath   = 107 // octets of the name of a socket on Linux
)

// Listen listens on a socket of that name, which this user and its group may use
// (0660). One that a dead process has left is replaced. Closing the listener
// removes it.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("control socket %s: the name has more than %d octets (choose a shorter data directory)", path, maxPath)
	}
	if err := makeRoom(path); err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	return l, nil
}

// makeRoom removes a socket on which nobody listens any more. Anything else that
// has the name stays.
func makeRoom(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("something of that name is there that is no socket")
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return errors.New("another process listens on it")
	}
	return os.Remove(path)
}

// Serve answers the connections of l until ctx ends, and closes it. Requests that
// are under way then have two seconds to come to their end.
func (a *API) Serve(ctx context.Context, l net.Listener) error {
	g := a.guardOf(l)
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler: g, ConnContext: g.identify,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(a.opts.Log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	a.close()
	patience, cancel := context.WithTimeout(requests, lastWords)
	defer cancel()
	if server.Shutdown(patience) != nil {
		cut()
		_ = server.Close()
	}
	<-served
	return nil
}
