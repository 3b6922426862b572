package sendmail

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/transcript"
)

// TestDaemons runs whole commands against the daemons of testdata/daemons: args has
// one option a line, daemon is the dialogue (none: nobody listens), and told is what
// was printed, how the command ended, and what lies in the drop directory then.
func TestDaemons(t *testing.T) {
	files, err := filepath.Glob("testdata/daemons/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no daemons", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := play(t, strings.Fields(string(a.Files[0].Data)), string(a.Files[1].Data), string(a.Files[2].Data))
			if *update {
				a.Files[3].Data = []byte(told)
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(a.Files[3].Data), told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

func play(t *testing.T, args []string, stdin, daemon string) string {
	where := cli.Where{Data: t.TempDir(), Hostname: ann.host}
	if err := maildrop.Make(where.DropDirectory(), false); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	if daemon == "" {
		served <- nil
	} else {
		serve(t, where, daemon, served)
	}
	if args[0] == "-bs" && daemon == "" {
		stdin = strings.ReplaceAll(stdin, "\n", "\r\n")
	}
	o, err := readOptions(args)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	err = o.do(t.Context(), &desk{where: where, errs: &errs}, &ann, nil, streams{strings.NewReader(stdin), &out})
	if err := <-served; err != nil {
		t.Error(err)
	}
	status, _ := cli.StatusOf(err)
	told := fmt.Sprintf("%s%s%sstatus %d\n", &out, &errs, withEnd(err), status) + left(t, where)
	told = strings.ReplaceAll(strings.ReplaceAll(told, where.Data, "DATA"), "\r\n", "\n")
	return changing.ReplaceAllString(told, "${1}${2}...")
}

// changing is what is another each time: names of files, and a date.
var changing = regexp.MustCompile(`(as )[0-9a-z]{20}\b|(FUTURERELEASE \d+ )\S+`)

func withEnd(err error) string {
	if err == nil || err.Error() == "" {
		return ""
	}
	return err.Error() + "\n"
}

// serve plays a daemon for one connection.
func serve(t *testing.T, where cli.Where, daemon string, served chan<- error) {
	script, err := transcript.Parse("daemon", daemon)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", where.SubmitSocket())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer l.Close()
		conn, err := l.Accept()
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			err = script.Serve(conn, nil)
		}
		served <- err
	}()
}

// left is what a sweeper finds.
func left(t *testing.T, where cli.Where) string {
	var b strings.Builder
	s := maildrop.Sweeper{Dir: where.DropDirectory(), Submit: func(_ context.Context, l *maildrop.Letter) error {
		fmt.Fprintf(&b, "dropped: from=%s return=%s", l.From, l.Params.Return)
		for _, to := range l.To {
			fmt.Fprintf(&b, " to=%s notify=%s", to.To, to.Params.Notify)
		}
		fmt.Fprintf(&b, " size=%d\n", l.Text.Size())
		return nil
	}}
	synctest.Test(t, func(*testing.T) { // a bubble knows when the sweeper has looked and waits
		ctx, stop := context.WithCancel(context.Background())
		go s.Run(ctx)
		synctest.Wait()
		stop()
	})
	return b.String()
}

// TestNobodyHasIt: when there is no drop directory either, the caller is told, and what
// to do.
func TestNobodyHasIt(t *testing.T) {
	var errs bytes.Buffer
	d := &desk{where: cli.Where{Data: filepath.Join(t.TempDir(), "nowhere"), Hostname: ann.host}, errs: &errs}
	o := &options{mode: deliver, recipients: []string{"bob@sina.example"}}
	err := o.do(t.Context(), d, &ann, nil, streams{strings.NewReader("\n"), &errs})
	if status, _ := cli.StatusOf(err); status != cli.TempFail || !strings.Contains(err.Error(), "posthouse run --config") {
		t.Errorf("%v (status %d)", err, status)
	}
}

// TestInterrupted: whoever is told to end does not leave the message behind.
func TestInterrupted(t *testing.T) {
	where := cli.Where{Data: t.TempDir(), Hostname: ann.host}
	if err := maildrop.Make(where.DropDirectory(), false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := &options{mode: deliver, recipients: []string{"bob@sina.example"}}
	err := o.do(ctx, &desk{where: where, errs: new(bytes.Buffer)}, &ann, nil, streams{strings.NewReader("\n"), new(bytes.Buffer)})
	if status, _ := cli.StatusOf(err); status != cli.TempFail || left(t, where) != "" {
		t.Errorf("%v (status %d)", err, status)
	}
}
