package dispatch_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// TestOnTheDisk: both desks over the engine on the disk, in a bubble of its own
// time: small texts and large ones, some greylisted, some refused and reported, and
// a stop in the middle.
func TestOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		road := newRoad()
		for i := range 100 {
			switch {
			case i%10 == 0:
				road.at(fmt.Sprintf("user%d@d%d.example", i, i%7), refuses)
			case i%3 == 0:
				road.at(fmt.Sprintf("user%d@d%d.example", i, i%7), first(2, greylisted))
			}
		}
		life(t, dir, road, func(in *intake.Desk) {
			for i := range 100 {
				submit(t, in, fmt.Sprintf("user%d@d%d.example", i, i%7), 10+i%5*50_000)
			}
			time.Sleep(30 * time.Second)
		})
		left := life(t, dir, road, func(*intake.Desk) { time.Sleep(time.Hour) })
		if left != 0 {
			t.Errorf("%d messages are left", left)
		}
		for i := range 100 {
			to := fmt.Sprintf("user%d@d%d.example", i, i%7)
			want := 1
			if i%3 == 0 && i%10 != 0 {
				want = 3
			}
			if n := road.tried(to); n != want {
				t.Errorf("%s was tried %d times, want %d", to, n, want)
			}
		}
		if n := road.tried("ann@sohu.example"); n != 10 {
			t.Errorf("%d reports were sent, want 10", n)
		}
		for _, text := range road.texts {
			if !strings.HasPrefix(text, "Received: ") || !strings.HasSuffix(text, "\r\n") {
				t.Errorf("a text of %d octets begins with %q", len(text), text[:min(len(text), 50)])
			}
		}
	})
}

// life is one of the house on a directory. It returns how many messages it leaves.
func life(t *testing.T, dir string, road transport.Transport, f func(*intake.Desk)) int64 {
	engine, err := pebblespool.Open(dir, pebblespool.Options{MinFree: -1, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	var out *dispatch.Desk
	in := intake.New(intake.Options{
		Hostname: "mx.sohu.example", Spool: engine, Owner: func() spool.Owner { return out.Owner() },
		Arrived: func(a intake.Arrival) { out.Arrive(dispatch.Arrival(a)) },
	})
	out = dispatch.New(dispatch.Options{Spool: engine, Prepare: in.Prepare, Settings: dispatch.Settings{
		Router: toHost("road", "192.0.2.1"), Transports: map[string]transport.Transport{"road": road},
		MTA: "mx.sohu.example", Mailer: address("mailer-daemon@mx.sohu.example"),
	}})
	ran := make(chan error, 1)
	go func() { ran <- out.Run(context.Background()) }()
	f(in)
	if err := out.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	st, err := engine.Stats(t.Context())
	if err != nil {
		t.Error(err)
	}
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
	return st.Messages
}

func submit(t *testing.T, in *intake.Desk, to string, size int) {
	t.Helper()
	text := io.MultiReader(strings.NewReader("Subject: hello\r\n\r\n"), strings.NewReader(strings.Repeat("It rains.\r\n", size/11)))
	if _, err := in.Submit(t.Context(), intake.Submission{
		Source: mail.Source{Listener: "sendmail"}, From: address("ann@sohu.example"), To: []smtp.Rcpt{{To: address(to)}}, Text: text,
	}); err != nil {
		t.Fatal(err)
	}
}
