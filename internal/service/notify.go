package service

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Environment variables by which a supervisor says where it listens, and how often it
// wants to hear that we live.
const (
	notifySocket = "NOTIFY_SOCKET"
	watchdogTime = "WATCHDOG_USEC"
	watchdogPID  = "WATCHDOG_PID"
)

// Notifier tells a supervisor how the service does. The zero Notifier tells nobody, and
// its methods return nil. It may be used by many goroutines.
type Notifier struct {
	socket   string // its name; an abstract one begins with "@"
	watchdog time.Duration
}

// NewNotifier finds the supervisor in the environment and takes what it says there
// out of it, so that programs that are started by this one do not speak in its name.
func NewNotifier() (*Notifier, error) {
	n := &Notifier{socket: os.Getenv(notifySocket)}
	usec, pid := os.Getenv(watchdogTime), os.Getenv(watchdogPID)
	for _, name := range []string{notifySocket, watchdogTime, watchdogPID} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if n.socket != "" && n.socket[0] != '/' && n.socket[0] != '@' {
		return nil, fmt.Errorf("%s: %q is neither an absolute path nor an abstract name", notifySocket, n.socket)
	}
	if usec == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n, nil
	}
	us, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || us <= 0 || us > int64(24*time.Hour/time.Microsecond) {
		return nil, fmt.Errorf("%s: %q is no number of microseconds of at most a day", watchdogTime, usec)
	}
	n.watchdog = time.Duration(us) * time.Microsecond
	return n, nil
}

// Heard reports whether somebody hears.
func (n *Notifier) Heard() bool { return n.socket != "" }

// Watchdog is within what time [Notifier.Alive] must come again; 0: it is not asked for.
func (n *Notifier) Watchdog() time.Duration { return n.watchdog }

// Ready says that the service answers, after its start and after each reload.
func (n *Notifier) Ready(status string) error { return n.tell("READY=1", said(status)) }

// Reloading says that a reload has begun; Ready ends it, whatever came of it.
func (n *Notifier) Reloading() error {
	now, err := monotonic()
	if err != nil {
		return err
	}
	return n.tell("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(now.Microseconds(), 10))
}

// Stopping says that the service comes to its end.
func (n *Notifier) Stopping(status string) error { return n.tell("STOPPING=1", said(status)) }

// Alive says that the service lives.
func (n *Notifier) Alive(status string) error { return n.tell("WATCHDOG=1", said(status)) }

func said(status string) string {
	return "STATUS=" + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' ' // it would end the assignment
		}
		return r
	}, status)
}

// tellTime is how long a supervisor may take to read: it must not hold us up.
const tellTime = 5 * time.Second

// tell sends assignments, in one datagram.
func (n *Notifier) tell(assignments ...string) error {
	if n.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	err = conn.SetWriteDeadline(time.Now().Add(tellTime))
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(assignments, "\n")))
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	return nil
}
