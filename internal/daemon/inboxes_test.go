package daemon_test

import (
	"context"
	"fmt"
	"io"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// inboxNode runs a house with a test inbox on a spool that others share.
func inboxNode(t *testing.T, engine spool.Engine, name string) (*daemon.House, string) {
	t.Helper()
	dir := t.TempDir()
	c, err := config.Parse(filepath.Join(dir, "house.hcl"), fmt.Appendf(nil, `
hostname = "mx.house.example"
data     = "data"
listen "inbox" {
  address = ["127.0.0.1:0"]
  tls     = "off"
}
spool {
  postgres = "postgres://posthouse@127.0.0.1/posthouse"
  node     = %q
}
`, name), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	house, err := daemon.New(t.Context(), c, daemon.World{
		Seed: 1, Spool: func(*config.Config) (spool.Engine, error) { return lent{engine}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- house.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "data", "inbox")); !os.IsNotExist(err) {
			t.Errorf("a node keeps an inbox of its own: %v", err)
		}
	})
	return house, addressOf(t, house, "inbox").String()
}

// TestNodesOfAClusterShowOneInbox: a message that one has taken in is seen, read and deleted at another,
// and at one that comes later.
func TestNodesOfAClusterShowOneInbox(t *testing.T) {
	engine := memspool.New(memspool.Options{})
	defer engine.Close()
	one, at := inboxNode(t, engine, "mx1")
	two, _ := inboxNode(t, engine, "mx2")
	text := "Subject: hello\r\n\r\n" + strings.Repeat("words that are many\r\n", 5000)
	if err := smtp.SendMail(at, nil, "a@b.example", []string{"jane+shop@c.example"}, []byte(text)); err != nil {
		t.Fatal(err)
	}
	m, err := two.Inboxes().Wait(t.Context(), "shop", inbox.Subject("hello"), mail.ID{})
	if err != nil {
		t.Fatal(err)
	}
	later, _ := inboxNode(t, engine, "mx3")
	for _, h := range []*daemon.House{one, two, later} {
		f, err := h.Inboxes().Open("shop", m.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if f.Close(); err != nil || !strings.HasSuffix(string(got), text) {
			t.Errorf("%d octets, %v", len(got), err)
		}
	}
	changed := one.Inboxes().Changed()
	if n := later.Inboxes().Delete("shop", m.ID); n != 1 {
		t.Errorf("%d were deleted", n)
	}
	for one.Inboxes().List("", inbox.Query{}, mail.ID{}, 1).Found > 0 {
		<-changed
		changed = one.Inboxes().Changed()
	}
}
