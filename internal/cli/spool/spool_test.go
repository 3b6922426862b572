package spool

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// TestASpoolOnTheDisk: it is read without a daemon; a large body that is changed
// by one bit is found, and so is a file that belongs to nobody.
func TestASpoolOnTheDisk(t *testing.T) {
	data := t.TempDir()
	keep(t, data)
	here := inside(t, data)
	h := &admintest.House{T: t, Socket: filepath.Join(data, "control.sock")}
	h.Play(filepath.Join(here, "offline"), Command)
	spoil(t, filepath.Join(data, "spool", "bodies"))
	h.Play(filepath.Join(here, "damaged"), Command)
	h.Play(filepath.Join(here, "repaired"), Command)
}

// inside goes into a directory, and returns where the scripts are.
func inside(t *testing.T, dir string) string {
	t.Helper()
	scripts, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return scripts
}

// keep leaves two messages in the spool of a data directory, one of them large.
func keep(t *testing.T, data string) {
	t.Helper()
	s, err := pebblespool.Open(filepath.Join(data, "spool"), pebblespool.Options{MinFree: -1, Ballast: -1, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1000, 300_000} {
		d, err := s.Begin(t.Context(), int64(size))
		if err == nil {
			_, err = d.Write(make([]byte, size))
		}
		if err == nil {
			_, err = d.Commit(t.Context(), spool.Commit{Envelope: mail.Envelope{
				From: admintest.Address("ann@example.org"), To: []mail.Recipient{{To: admintest.Address("bob@sina.example")}}, Arrived: time.Now(),
			}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// spoil turns a bit in the only body that is a file, and adds a file.
func spoil(t *testing.T, bodies string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(bodies, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("bodies %v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bodies, "stranger"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestASpoolInUse: the daemon has it, so it is not read from outside.
func TestASpoolInUse(t *testing.T) {
	data := t.TempDir()
	keep(t, data)
	s, err := pebblespool.Open(filepath.Join(data, "spool"), pebblespool.Options{MinFree: -1, Ballast: -1, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	here := inside(t, data)
	h := &admintest.House{T: t, Socket: filepath.Join(data, "control.sock")}
	h.Play(filepath.Join(here, "in-use"), Command)
}

// TestARunningHouseChecks asks a house over its socket.
func TestARunningHouseChecks(t *testing.T) {
	data, err := os.MkdirTemp("", "house") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(data)
	keep(t, data)
	s, err := pebblespool.Open(filepath.Join(data, "spool"), pebblespool.Options{MinFree: -1, Ballast: -1, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := admin.Listen(filepath.Join(data, admin.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- admin.New(admin.Options{Spool: s}).Serve(ctx, l) }()
	defer func() {
		end()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	here := inside(t, data)
	h := &admintest.House{T: t, Socket: filepath.Join(data, "control.sock")}
	h.Play(filepath.Join(here, "online"), Command)
}

// TestASpoolInMemory cannot be checked.
func TestASpoolInMemory(t *testing.T) { admintest.Run(t, "memory", Command) }
