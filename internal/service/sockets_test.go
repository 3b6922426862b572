package service_test

import (
	"net"
	"slices"
	"testing"

	"github.com/posthouse/posthouse/internal/service"
)

// TestSocketsAreGivenBack: a listener that was opened before is had by who plans for its
// address, by one at a time; and again when it was closed.
func TestSocketsAreGivenBack(t *testing.T) {
	opened, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := opened.Addr().String()
	var s service.Sockets
	if err := s.Add("tcp", address, opened); err != nil {
		t.Fatal(err)
	}
	if spare := s.Plan([]service.Wanted{{Name: "smtp", Network: "tcp", Address: "127.0.0.1:1"}}); !slices.Equal(spare, []string{address}) {
		t.Errorf("spare: %q", spare)
	}
	if spare := s.Plan([]service.Wanted{{Name: "smtp", Network: "tcp", Address: address}}); len(spare) > 0 {
		t.Errorf("spare: %q", spare)
	}
	for range 2 {
		l, err := s.Listen("tcp", address)
		if err != nil || l == nil {
			t.Fatal(l, err)
		}
		if other, err := s.Listen("tcp", address); other != nil || err != nil {
			t.Errorf("two have the socket: %v, %v", other, err)
		}
		go func() {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
		}()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingWasHandedOver: then there is nothing to plan.
func TestNothingWasHandedOver(t *testing.T) {
	t.Setenv("LISTEN_FDS", "2")
	t.Setenv("LISTEN_PID", "1") // it is another's
	s, err := service.Inherited()
	if err != nil {
		t.Fatal(err)
	}
	if spare := s.Plan([]service.Wanted{{Network: "tcp", Address: ":25"}}); spare != nil {
		t.Errorf("spare: %q", spare)
	}
	if l, err := s.Listen("tcp", ":25"); l != nil || err != nil {
		t.Error(l, err)
	}
}
