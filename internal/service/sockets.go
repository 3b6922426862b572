package service

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Environment variables of socket activation, and the first descriptor of it
// (sd_listen_fds(3)).
const (
	listenPID   = "LISTEN_PID"
	listenFDs   = "LISTEN_FDS"
	listenNames = "LISTEN_FDNAMES"
	firstFD     = 3
	maxFDs      = 1024
)

// Sockets are listeners that were opened before they were asked for. The zero Sockets
// has none. It may be used by many goroutines.
type Sockets struct {
	mu      sync.Mutex
	all     []*socket
	planned map[endpoint][]*socket
}

// socket is one of them.
type socket struct {
	name string   // by which the supervisor knows it; "": none
	file *os.File // which stays open, so that it can be handed out again
	at   endpoint
	out  bool // somebody listens on it
}

// endpoint is where to listen: on "tcp" at "HOST:PORT", or on "unix" at a path.
type endpoint struct{ network, address string }

// Wanted is where a program will listen, and by what name a supervisor may know it.
type Wanted struct {
	Name, Network, Address string
}

// Inherited are the sockets that the supervisor hands over. What the environment says of
// them is taken out of it.
func Inherited() (*Sockets, error) {
	pid, count, names := os.Getenv(listenPID), os.Getenv(listenFDs), os.Getenv(listenNames)
	for _, name := range []string{listenPID, listenFDs, listenNames} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	s := &Sockets{}
	if count == "" || pid != strconv.Itoa(os.Getpid()) {
		return s, nil // they are for another program
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxFDs {
		return nil, fmt.Errorf("%s: %q is no number of sockets", listenFDs, count)
	}
	called := strings.Split(names, ":")
	for i := range n {
		name := ""
		if i < len(called) {
			name = called[i]
		}
		if err := s.inherit(firstFD+i, name); err != nil {
			return nil, fmt.Errorf("socket %d of the supervisor (%s): %w", i+1, name, err)
		}
	}
	return s, nil
}

// inherit takes over one descriptor.
func (s *Sockets) inherit(fd int, name string) error {
	unix.CloseOnExec(fd)
	if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
		return err
	} else if listens == 0 {
		return errors.New("it does not listen (a stream with Accept=no is needed)")
	}
	file := os.NewFile(uintptr(fd), name)
	l, err := net.FileListener(file)
	if err != nil {
		return err
	}
	s.all = append(s.all, &socket{name: name, file: file, at: endpoint{l.Addr().Network(), l.Addr().String()}})
	keepPath(l)
	return l.Close() // it was a copy
}

// keepPath has a listener not remove the path of a socket that is not its own.
func keepPath(l net.Listener) {
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
}

// Add keeps a listener on "tcp" or "unix" that was opened at an address, for who asks
// for that later. The listener itself is closed; its socket stays.
func (s *Sockets) Add(network, address string, l net.Listener) error {
	f, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return fmt.Errorf("listener on %s: it has no descriptor", address)
	}
	file, err := f.File()
	if err != nil {
		return err
	}
	keepPath(l)
	s.mu.Lock()
	s.all = append(s.all, &socket{file: file, at: endpoint{network, address}})
	s.mu.Unlock()
	return l.Close()
}

// Plan says where the program will listen, and so which socket is for which place:
// one that has the address, or else one that has the name of the listener, in the
// order of both. It returns the names or addresses of those that nobody wants.
func (s *Sockets) Plan(wanted []Wanted) (spare []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planned = map[endpoint][]*socket{}
	left := append([]*socket(nil), s.all...)
	fits := []func(*socket, *Wanted) bool{
		func(k *socket, w *Wanted) bool { return same(k.at, endpoint{w.Network, w.Address}) },
		func(k *socket, w *Wanted) bool { return k.name != "" && k.name == w.Name },
	}
	open := append([]Wanted(nil), wanted...)
	for _, fit := range fits {
		var still []Wanted
		for _, w := range open {
			i := indexOf(left, &w, fit)
			if i < 0 {
				still = append(still, w)
				continue
			}
			at := endpoint{w.Network, w.Address}
			s.planned[at] = append(s.planned[at], left[i])
			left = append(left[:i], left[i+1:]...)
		}
		open = still
	}
	for _, k := range left {
		spare = append(spare, strings.TrimSpace(k.name+" "+k.at.address))
	}
	return spare
}

func indexOf(all []*socket, w *Wanted, fit func(*socket, *Wanted) bool) int {
	for i, k := range all {
		if fit(k, w) {
			return i
		}
	}
	return -1
}

// same reports whether a socket is what listening at an address would make.
func same(has, wanted endpoint) bool {
	if has == wanted {
		return true
	}
	if has.network != "tcp" || wanted.network != "tcp" {
		return false
	}
	a, b := parse(has.address), parse(wanted.address)
	return a.IsValid() && b.IsValid() && a.Port() == b.Port() && a.Port() != 0 &&
		(a.Addr() == b.Addr() || a.Addr().IsUnspecified() && b.Addr().IsUnspecified())
}

// parse reads "HOST:PORT"; an empty host is all addresses.
func parse(address string) netip.AddrPort {
	if strings.HasPrefix(address, ":") {
		address = "[::]" + address
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Listen returns a listener at a place of the plan; nil if there is none to be had.
// Closing it gives the socket back.
func (s *Sockets) Listen(network, address string) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.planned[endpoint{network, address}] {
		if k.out {
			continue
		}
		l, err := net.FileListener(k.file) // a copy of the descriptor
		if err != nil {
			return nil, err
		}
		keepPath(l)
		k.out = true
		return &lent{Listener: l, giveBack: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			k.out = false
		}}, nil
	}
	return nil, nil
}

// lent is a listener whose socket goes back.
type lent struct {
	net.Listener
	once     sync.Once
	giveBack func()
}

// Close implements [net.Listener].
func (l *lent) Close() error {
	err := l.Listener.Close()
	l.once.Do(l.giveBack)
	return err
}
