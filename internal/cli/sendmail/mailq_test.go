package sendmail

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

// asked is a daemon that is asked.
type asked struct {
	waiting []Waiting
	told    []string
	err     error
}

func (a *asked) Waiting(_ context.Context, _ cli.Where, each func(Waiting) error) error {
	for _, w := range a.waiting {
		if err := each(w); err != nil {
			return err
		}
	}
	return a.err
}

func (a *asked) Retry(_ context.Context, _ cli.Where, filter string) (int, error) {
	a.told = append(a.told, "retry "+filter)
	return 3, a.err
}

func (a *asked) Reload(context.Context, cli.Where) error {
	a.told = append(a.told, "reload")
	return a.err
}

// ask runs a command line against the daemon.
func (a *asked) ask(t *testing.T, args ...string) (out, errs string, err error) {
	t.Helper()
	o, err := readOptions(args)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	err = o.do(t.Context(), &desk{errs: &stderr}, &ann, a, streams{strings.NewReader(""), &stdout})
	return stdout.String(), stderr.String(), err
}

// TestMailq: programs that read the output of mailq find their way in ours.
func TestMailq(t *testing.T) {
	at := time.Date(2026, 11, 3, 7, 51, 54, 0, time.Local)
	a := &asked{waiting: []Waiting{
		{ID: "06h0ey397sh61pznmt80", Size: 4000, Arrived: at, From: "ann@sohu.example", To: "bob@sina.example", State: Active},
		{ID: "06h0ey397sh61pznmt80", Size: 4000, Arrived: at, From: "ann@sohu.example", To: "carl@sina.example", State: Deferred, Reason: "450 4.7.1 greylisted\x1b[2J"},
		{ID: "06h0ey3gj0637fykepa0", Size: 312, Arrived: at, To: "dan@x.example", State: Held, Reason: strings.Repeat("x", 300)},
		{ID: "06h0ey3gjajrw212qv40", Size: 99, Arrived: at, From: "eve@x.example", To: "fay@x.example", State: Deferred},
	}}
	const want = `-Queue ID------------ --Size-- ----Arrival Time---- -Sender/Recipient-------
06h0ey397sh61pznmt80*     4000 Tue Nov  3 07:51:54  ann@sohu.example
                                                    bob@sina.example
                                                   (450 4.7.1 greylisted\x1b[2J)
                                                    carl@sina.example

06h0ey3gj0637fykepa0!      312 Tue Nov  3 07:51:54  MAILER-DAEMON
                                                   (XXX...)
                                                    dan@x.example

06h0ey3gjajrw212qv40        99 Tue Nov  3 07:51:54  eve@x.example
                                                    fay@x.example

-- 5 Kbytes in 3 Requests.
`
	out, _, err := a.ask(t, "-bp")
	if got := strings.ReplaceAll(out, strings.Repeat("x", 200), "XXX"); err != nil || got != want {
		t.Errorf("%v, printed:\n%s", err, got)
	}
	out, _, err = a.ask(t, "-bp", "--json")
	if err != nil || strings.Count(out, "\n") != 4 || !strings.Contains(out, `"state":"held"`) || strings.Contains(out, "\x1b") {
		t.Errorf("%v, printed:\n%s", err, out)
	}
	out, _, err = new(asked).ask(t, "-bp")
	if err != nil || out != "Mail queue is empty\n" {
		t.Errorf("%v, printed %q", err, out)
	}
	if _, _, err = (&asked{err: errors.New("away")}).ask(t, "-bp"); err == nil {
		t.Error("a daemon that is away has an empty queue")
	}
}

func TestOrders(t *testing.T) {
	a := new(asked)
	for _, args := range []string{"-q", "-qI06h0ey397sh61pznmt80", "-qRsina.example", "-qSann@", "-bi", "-I"} {
		if _, _, err := a.ask(t, args); err != nil {
			t.Error(err)
		}
	}
	const want = "retry |retry id:06h0ey397sh61pznmt80|retry to:*sina.example*|retry from:*ann@*|reload|reload"
	if got := strings.Join(a.told, "|"); got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if _, errs, _ := a.ask(t, "-q"); !strings.Contains(errs, "3 recipients") {
		t.Errorf("told %q", errs)
	}
}
