package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/service"
)

// meetSupervisor finds out who has started the program, and what it hands over.
func (h *house) meetSupervisor() (err error) {
	if h.supervisor, err = service.NewNotifier(); err == nil {
		h.sockets, err = service.Inherited()
	}
	if err != nil {
		return cli.Fail(cli.OSErr, "%w", err)
	}
	return nil
}

// settle reads the configuration, opens as root what only root may open, makes the data
// directory and becomes the user that the configuration names. Everything after it is done
// by that user: so what a start can read, a reload can read too.
func (h *house) settle(ctx context.Context) (*config.Config, error) {
	syscall.Umask(0o077) // what is to be read by others is given to them by name
	c, err := h.read()
	if err != nil {
		return nil, err
	}
	if !c.User.Given() {
		return c, h.checkModes(c)
	}
	who, err := service.Lookup(c.User.Value)
	if err != nil {
		return nil, config.Problems{c.Problem(c.User.Origin, err.Error())}
	}
	if os.Geteuid() == 0 {
		if err := h.bind(ctx, c); err != nil {
			return nil, err
		}
		if err := giveData(c.Data.Value, who); err != nil {
			return nil, dataFault(c.Data.Value, err)
		}
	}
	if err := who.Become(); err != nil {
		return nil, cli.Fail(cli.NoPerm, "%w", err)
	}
	if c, err = h.read(); errors.Is(err, fs.ErrPermission) {
		return nil, cli.Fail(cli.NoPerm, "%s must be able to read %s, for a reload too (chmod a+r %[2]s: it holds no secrets)", who.Name, h.file)
	} else if err != nil {
		return nil, err
	}
	return c, h.checkModes(c)
}

// bind opens the listeners of a configuration that are not there yet. Sockets in the file
// system are for who will answer there.
func (h *house) bind(ctx context.Context, c *config.Config) error {
	for _, w := range h.plan(c) {
		l, err := h.sockets.Listen(w.Network, w.Address)
		if err != nil {
			return cli.Fail(cli.OSErr, "%w", err)
		}
		if w.Network != "tcp" || l != nil {
			if l != nil {
				err = l.Close() // it is there; this was to see
			}
			if err != nil {
				return cli.Fail(cli.OSErr, "%w", err)
			}
			continue
		}
		if l, err = daemon.Listen(ctx, w.Network, w.Address); err != nil {
			return daemon.CannotListen(c, w.at, w.Address, err)
		}
		if err := h.sockets.Add(w.Network, w.Address, l); err != nil {
			return cli.Fail(cli.OSErr, "%w", err)
		}
	}
	return nil
}

// wanted is where a listener of the configuration is.
type wanted struct {
	service.Wanted
	at mail.Origin
}

// plan says which of the sockets that are open already are for which listener.
func (h *house) plan(c *config.Config) []wanted {
	all := places(c)
	var of []service.Wanted
	for _, w := range all {
		of = append(of, w.Wanted)
	}
	for _, spare := range h.sockets.Plan(of) {
		h.log.Warn("nobody listens on a socket that was handed over: name it as a listener, or let its address be that of one", "socket", spare)
	}
	return all
}

// places is where a configuration listens: for mail, for the pages of its domains, and for
// the challenges of an authority.
func places(c *config.Config) (all []wanted) {
	add := func(name, address string, at mail.Origin) {
		w := service.Wanted{Name: name, Network: "tcp", Address: address}
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			w.Network, w.Address = "unix", path
		}
		all = append(all, wanted{w, at})
	}
	for i := range c.Listen {
		l := &c.Listen[i]
		at := l.Address.Origin
		if !l.Address.Given() {
			at = l.Origin
		}
		for _, address := range l.Address.Value {
			add(l.Name.Value, address, at)
		}
	}
	if c.HTTPS.Used() {
		for _, address := range c.HTTPS.Address.Value {
			add("https", address, c.HTTPS.Origin)
		}
	}
	for _, challenge := range []config.Setting[string]{c.ACME.HTTP, c.ACME.TLSALPN} {
		there := slices.ContainsFunc(all, func(w wanted) bool { return w.Address == challenge.Value })
		if challenge.Value != "" && c.ACME.Used() && !there { // it may be asked where the pages are
			add("acme", challenge.Value, c.ACME.Origin)
		}
	}
	return all
}

// listen is the Listen of the world: it takes the sockets that are open already.
func (h *house) listen(ctx context.Context, network, address string) (net.Listener, error) {
	if l := h.taken; l != nil && network == "tcp" && address == h.smtp {
		h.taken = nil
		return l, nil
	}
	if l, err := h.sockets.Listen(network, address); l != nil || err != nil {
		return l, err
	}
	return daemon.Listen(ctx, network, address)
}

// giveData makes the data directory, if it is missing, for a user.
func giveData(dir string, who service.Identity) error {
	_, err := os.Lstat(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeData(dir); err != nil {
		return err
	}
	return os.Lchown(dir, who.UID, who.GID)
}

// checkModes makes the data directory, if it is missing, and refuses to start where
// others could change what decides about mail.
func (h *house) checkModes(c *config.Config) error {
	if h.file != "" {
		if err := checkFile(h.file); err != nil {
			return err
		}
	}
	dir := c.Data.Value
	err := makeData(dir)
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(dir)
	}
	switch {
	case err != nil:
		return dataFault(dir, err)
	case info.Mode().Perm()&0o002 != 0:
		return cli.Fail(cli.NoPerm, "data directory %s: everybody may change what is in it (chmod o-w %[1]s)", dir)
	case unix.Access(dir, unix.W_OK|unix.X_OK) != nil:
		return cli.Fail(cli.NoPerm, "data directory %s: it is not for %s (%s)", dir, whoami(), chown(c, dir))
	}
	return nil
}

// checkFile refuses a configuration that everybody may write.
func checkFile(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return cli.Fail(cli.NoInput, "%w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o002 != 0 {
		return cli.Fail(cli.NoPerm, "%s: everybody may change it, and it names programs that are run (chmod o-w %[1]s)", name)
	}
	return nil
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("user %d", os.Geteuid())
}

// chown says what helps if the data directory is another user's.
func chown(c *config.Config, dir string) string {
	if !c.User.Given() {
		return "choose a directory that you may write to"
	}
	return fmt.Sprintf("chown -R %s: %s", c.User.Value, dir)
}

// Bounds of telling the supervisor how it goes.
const (
	statusTime = 30 * time.Second // without a watchdog
	answerTime = 5 * time.Second  // for the desk that sends mail out, when it is asked how much there is
)

// tellSupervisor says that the house is ready; from then on, that it lives, for as long as
// the desk that sends mail out answers; and that it ends, when ctx does. What it
// returns is called at the end.
func (h *house) tellSupervisor(ctx context.Context, d *daemon.House) (end func()) {
	if !h.supervisor.Heard() {
		return func() {}
	}
	h.noted(h.supervisor.Ready(h.status(ctx, d)))
	over := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.live(ctx, d, over)
	}()
	return func() {
		close(over)
		<-ended
	}
}

// live speaks to the supervisor until over.
func (h *house) live(ctx context.Context, d *daemon.House, over <-chan struct{}) {
	every := statusTime
	if w := h.supervisor.Watchdog(); w > 0 {
		every = w / 2
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	ending := ctx.Done()
	for {
		select {
		case <-tick.C:
			if status, ok := h.load(context.WithoutCancel(ctx), d); ok {
				h.noted(h.supervisor.Alive(status))
			}
		case <-ending:
			ending = nil
			h.noted(h.supervisor.Stopping(fmt.Sprintf("ending: what has begun gets %s each to come to its end", daemon.LastWords)))
		case <-over:
			return
		}
	}
}

// status is one line on how it goes.
func (h *house) status(ctx context.Context, d *daemon.House) string {
	status, _ := h.load(ctx, d)
	return status
}

// load is the same, and whether the house answers at all.
func (h *house) load(ctx context.Context, d *daemon.House) (status string, ok bool) {
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	load, err := d.Out().Load(limited)
	if err != nil {
		return "", false
	}
	return fmt.Sprintf("%s in the window, %s under way", cli.Count(load.Recipients, "recipient"), cli.Count(load.InFlight, "delivery")), true
}

// noted logs that the supervisor does not hear, once a thing that it was to hear.
func (h *house) noted(err error) {
	if err != nil {
		h.log.Warn("the supervisor does not hear", "err", err)
	}
}
