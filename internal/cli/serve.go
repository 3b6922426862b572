package cli

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// LastWords is how long sessions get to come to their end when a server ends:
// about as long as a supervisor waits before it kills.
const LastWords = 8 * time.Second

// Listen listens on "host:port". Its errors say what to do about them.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if port, ok := strings.CutPrefix(addr, ":"); ok && port != "" {
		return nil, Fail(Usage, "%q names no host (127.0.0.1:%s keeps to this machine, 0.0.0.0:%s is open to all)", addr, port, port)
	}
	addr, err := HostPort(addr, "2525")
	if err != nil {
		return nil, err
	}
	l, err := smtpserver.Listen(ctx, addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, Fail(OSErr, "%s is in use by another program (end that one, or listen elsewhere: --smtp 127.0.0.1:0 takes a free port)", addr)
	case errors.Is(err, syscall.EACCES):
		return nil, Fail(NoPerm, "%s may not be listened on by this user (take a port from 1024 upward, such as --smtp %s)", addr, LocalServer)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, Fail(OSErr, "%s is no address of this machine (listen on %s, or on 0.0.0.0 for all)", addr, LocalServer)
	}
	return nil, Fail(OSErr, "listen on %s: %w", addr, err)
}

// Serve answers the connections of l until the context ends, and then gives
// the sessions LastWords to end. Those that are cut after that have not been
// told 250 for what they were sending.
func Serve(ctx context.Context, server *smtpserver.Server, l net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return Fail(OSErr, "%w", err)
	case <-ctx.Done():
	}
	if server.Log != nil {
		server.Log.Info("ending", "longest", LastWords.String())
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), LastWords)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close()
	}
	<-served
	return nil
}
