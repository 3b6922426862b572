package daemon

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/login"
)

// typed is under which keys a node counts that "swordfish" was typed as a name; and what it logs.
func typed(t *testing.T, dir, settings string) (keys []string, log string) {
	t.Helper()
	c, err := config.Parse(filepath.Join(dir, "house.hcl"), fmt.Appendf(nil, `
hostname = "mx.example.org"
data     = "data"
listen "submissions" { address = "127.0.0.1:0" }
route "all" {
  to      = "*"
  discard = true
}
users { file = "users" }
%s
`, settings), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var heard bytes.Buffer
	w := World{Log: slog.New(slog.NewTextHandler(&heard, nil))}
	w.setDefaults()
	r, err := build(t.Context(), &w, c, intake.New(intake.Options{}), new(states))
	if err != nil {
		t.Fatal(err)
	}
	defer r.close(t.Context())
	h := &House{world: &w, book: login.NewBook(login.Budget{})}
	h.veil(r, c)
	x := h.door(r, c).Begin(t.Context(), "PLAIN", login.Visitor{Client: netip.MustParseAddr("192.0.2.1"), TLS: new(tls.ConnectionState)})
	if _, _, err := x.Next([]byte("\x00swordfish\x00x")); err == nil {
		t.Fatal("it was let in")
	}
	for _, counted := range h.book.Unsaid() {
		keys = append(keys, counted.Key)
	}
	slices.Sort(keys)
	return keys, heard.String()
}

// machine is where a node lives: its data, its users, and a key that it may have in common with others.
func machine(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"users": "", "seal.key": "a key that all nodes have\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNamesAreHiddenByTheSealKey: nodes that have the same count names together; without it each counts them
// by a key in its data directory, which outlives the process, and says so where a spool is shared.
func TestNamesAreHiddenByTheSealKey(t *testing.T) {
	const shared, sealed, advice = `spool { postgres = "postgres://posthouse@127.0.0.1/posthouse" }` + "\n", `seal_key_file = "seal.key"`, "give all nodes the same seal_key"
	first, log := typed(t, machine(t), shared+sealed)
	if len(first) != 3 || strings.Contains(fmt.Sprint(first), "swordfish") || log != "" {
		t.Errorf("told: %q, log: %s", first, log)
	}
	if second, _ := typed(t, machine(t), shared+sealed); !slices.Equal(first, second) {
		t.Errorf("nodes of one key tell %q and %q", first, second)
	}
	dir := machine(t)
	alone, log := typed(t, dir, shared)
	if !strings.Contains(log, advice) || slices.Equal(alone, first) {
		t.Errorf("without a key: %q, log: %s", alone, log)
	}
	if again, log := typed(t, dir, ""); !slices.Equal(alone, again) || log != "" {
		t.Errorf("begun anew: %q, then %q, log: %s", alone, again, log)
	}
	if other, _ := typed(t, machine(t), shared); slices.Equal(alone, other) {
		t.Errorf("nodes without a key in common tell the same: %q", alone)
	}
	if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	if lost, log := typed(t, dir, ""); slices.Equal(alone, lost) || !strings.Contains(log, "counted anew when this process ends") {
		t.Errorf("without a data directory: %q, log: %s", lost, log)
	}
}
