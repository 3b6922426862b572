package maildrop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// memory is a text in memory.
type memory string

func (m memory) Size() int64                  { return int64(len(m)) }
func (m memory) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(m))), nil }

func path(t *testing.T, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func letter(t *testing.T, text string, to ...string) *Letter {
	l := &Letter{From: path(t, "ann@sohu.example"), Text: memory(text)}
	for _, a := range to {
		l.To = append(l.To, smtp.Rcpt{To: path(t, a)})
	}
	return l
}

const short = "Subject: hello\r\n\r\nIt rains.\r\n"

func drop(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "drop")
	if err := Make(dir, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

func add(t *testing.T, dir string, l *Letter) string {
	t.Helper()
	name, err := Add(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// house takes letters, as the daemon does.
type house struct {
	mu    sync.Mutex
	taken []string // "FROM TO,TO: text"
	again int
	fail  error // what Submit returns
	login string
}

func (h *house) submit(_ context.Context, l *Letter) error {
	text, err := l.Text.Open()
	if err != nil {
		return err
	}
	b, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return h.fail
	}
	var to []string
	for _, r := range l.To {
		to = append(to, r.To.String())
	}
	h.taken = append(h.taken, fmt.Sprintf("%s %s: %s", l.From, strings.Join(to, ","), b))
	h.login = l.Login
	if l.Again {
		h.again++
	}
	return nil
}

func (h *house) sweeper(dir string) *Sweeper { return &Sweeper{Dir: dir, Submit: h.submit} }

func sweep(t *testing.T, s *Sweeper, want tally) {
	t.Helper()
	got, err := s.sweep(t.Context(), []string{taken, waiting, fresh})
	if err != nil || got != want {
		t.Errorf("the sweep came to %+v, %v; want %+v", got, err, want)
	}
}

// in lists a folder.
func in(t *testing.T, dir, folder string) []string {
	t.Helper()
	names, err := (System{}).Names(filepath.Join(dir, folder), atOnce)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWhatIsLeftIsTakenOnce(t *testing.T) {
	dir, h := drop(t), new(house)
	for _, to := range []string{"bob@sina.example", "carl@sina.example"} {
		add(t, dir, letter(t, short, to, "dan@sohu.example"))
	}
	sweep(t, h.sweeper(dir), tally{taken: 2})
	sweep(t, h.sweeper(dir), tally{})
	slices.Sort(h.taken) // letters of one instant have no order
	want := []string{
		"ann@sohu.example bob@sina.example,dan@sohu.example: " + short, "ann@sohu.example carl@sina.example,dan@sohu.example: " + short,
	}
	if fmt.Sprintf("%q", h.taken) != fmt.Sprintf("%q", want) {
		t.Errorf("taken: %q", h.taken)
	}
	if want := Login(uint32(os.Getuid())); h.login != want || h.again != 0 {
		t.Errorf("login %q, %d second copies; want %q and none", h.login, h.again, want)
	}
	for _, folder := range []string{tmp, fresh, taken, waiting, unwelcome} {
		if left := in(t, dir, folder); len(left) > 0 {
			t.Errorf("left in %s: %q", folder, left)
		}
	}
}

// TestFileHoldsTheEnvelope: all that can be asked for comes out as it went in.
func TestFileHoldsTheEnvelope(t *testing.T) {
	dir := drop(t)
	l := letter(t, "Subject: 你好\r\n\r\n.\r\n..\r\nno end", "李@例え.jp")
	l.Params = smtp.MailParams{
		Body: smtp.Body8Bit, UTF8: true, Return: smtp.ReturnHeaders, EnvID: "a+b=c", Priority: -3, RequireTLS: true,
		HoldFor: time.Hour, By: smtp.DeliverBy{Within: time.Minute, Mode: smtp.ByNotify, Trace: true},
	}
	l.To[0].Params = smtp.RcptParams{Notify: smtp.NotifySuccess | smtp.NotifyDelay, ORcpt: smtp.ORcpt{Type: "rfc822", Addr: "li@x.example"}}
	name := add(t, dir, l)
	var got *Letter
	s := Sweeper{Dir: dir, Submit: func(_ context.Context, l *Letter) error { got = l; return nil }}
	sweep(t, &s, tally{taken: 1})
	want := l.Params
	want.Size = l.Text.Size()
	if got.From != l.From || got.Params != want || got.To[0] != l.To[0] || got.Name != name || time.Since(got.Left) > time.Minute {
		t.Errorf("got %+v\nwant %+v", got, l)
	}
}

func TestNothingIsLeftOfWhatCannotBeWritten(t *testing.T) {
	dir := drop(t)
	injected := letter(t, short, "bob@sina.example")
	injected.Params.EnvID = "a\r\nRCPT TO:<eve@x.example>"
	short := letter(t, "abc\r\n", "bob@sina.example")
	short.Text = lying{memory("abc\r\n")}
	for story, l := range map[string]*Letter{"no recipient": letter(t, "x"), "injection": injected, "another length": short} {
		if name, err := Add(dir, l); err == nil {
			t.Errorf("%s: it is there as %s", story, name)
		}
	}
	if left := append(in(t, dir, tmp), in(t, dir, fresh)...); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if _, err := Add(dir+"x", letter(t, "x\r\n", "bob@sina.example")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}

type lying struct{ memory }

func (lying) Size() int64 { return 1000 }

// TestDamage puts into the directory what anybody can put there. All of it is put
// aside, nothing is handed on, and a letter behind it still is.
func TestDamage(t *testing.T) {
	whole := file(t, letter(t, short, "bob@sina.example"))
	put := func(text string) func(string) error {
		return func(at string) error { return os.WriteFile(at, []byte(text), 0o600) }
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	for story, make := range map[string]func(at string) error{
		"empty":             put(""),
		"cut":               put(whole[:len(whole)-1]),
		"cut in its top":    put(whole[:20]),
		"longer":            put(whole + "x"),
		"changed":           put(strings.Replace(whole, "bob", "bab", 1)),
		"no letter":         put(strings.Repeat("hello\r\n", 20)),
		"no recipient":      put(sealed("MAIL FROM:<>\r\nBDAT 0 LAST\r\n")),
		"no sender":         put(sealed("RCPT TO:<a@b.c>\r\nBDAT 0 LAST\r\n")),
		"a command":         put(sealed("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nQUIT\r\nBDAT 0 LAST\r\n")),
		"bare LF":           put(sealed("MAIL FROM:<>\nRCPT TO:<a@b.c>\nBDAT 0 LAST\r\n")),
		"no end":            put(sealed("MAIL FROM:<" + strings.Repeat("a", 20_000))),
		"longer text":       put(sealed("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 9 LAST\r\nabc\r\n")),
		"shorter text":      put(sealed("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 3 LAST\r\nabc\r\n")),
		"a huge text":       put(sealed("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 99999999999999999999 LAST\r\n")),
		"smuggled commands": put(sealed("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 14 LAST\r\nabc\n.\nQUIT\r\n\r\n")),
		"a crowd":           put(sealed("MAIL FROM:<>\r\n" + strings.Repeat("RCPT TO:<a@b.c>\r\n", MaxRecipients+1) + "BDAT 0 LAST\r\n")),
		"a link":            func(at string) error { return os.Symlink(secret, at) },
		"a second name":     func(at string) error { return os.Link(secret, at) },
		"a pipe":            func(at string) error { return syscall.Mkfifo(at, 0o666) },
		"a directory":       func(at string) error { return os.Mkdir(at, 0o777) },
		"an endless file":   func(at string) error { return errors.Join(os.WriteFile(at, nil, 0o600), os.Truncate(at, 1<<40)) },
	} {
		t.Run(story, func(t *testing.T) {
			dir, h := drop(t), new(house)
			if err := make(filepath.Join(dir, fresh, "0\x1b]bad name")); err != nil {
				t.Fatal(err)
			}
			add(t, dir, letter(t, short, "carl@sina.example"))
			var log bytes.Buffer
			s := h.sweeper(dir)
			s.Log = textLog(&log)
			sweep(t, s, tally{taken: 1, damaged: 1})
			if len(h.taken) != 1 || !strings.Contains(h.taken[0], "carl") {
				t.Errorf("taken: %q", h.taken)
			}
			if aside := in(t, dir, unwelcome); len(aside) != 1 || !strings.HasSuffix(aside[0], "-0_]bad_name") {
				t.Errorf("put aside: %q", aside)
			}
			if !strings.Contains(log.String(), "put aside") || strings.Contains(log.String(), "\x1b") {
				t.Errorf("the log tells %q", log.String())
			}
		})
	}
}

func TestLargest(t *testing.T) {
	dir, h := drop(t), new(house)
	add(t, dir, letter(t, short, "bob@sina.example"))
	add(t, dir, letter(t, short+strings.Repeat("and rains\r\n", 100), "bob@sina.example"))
	s := h.sweeper(dir)
	s.Largest = 1000
	sweep(t, s, tally{taken: 1, damaged: 1})
}

// file is a letter as a file.
func file(t *testing.T, l *Letter) string {
	t.Helper()
	dir := drop(t)
	b, err := os.ReadFile(filepath.Join(dir, fresh, add(t, dir, l)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTextThatChangesUnderway: the owner of a file can write to it at any time.
func TestTextThatChangesUnderway(t *testing.T) {
	for story, change := range map[string]func(string) error{
		"cut":     func(at string) error { return os.Truncate(at, 150) },
		"another": func(at string) error { return overwrite(at, "x\nx") },
	} {
		t.Run(story, func(t *testing.T) {
			dir := drop(t)
			name := add(t, dir, letter(t, short+strings.Repeat("and rains\r\n", 20), "bob@sina.example"))
			s := Sweeper{Dir: dir, Submit: func(_ context.Context, l *Letter) error {
				if err := change(filepath.Join(dir, taken, name)); err != nil {
					t.Fatal(err)
				}
				text, err := l.Text.Open()
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, text)
				return err
			}}
			sweep(t, &s, tally{damaged: 1})
		})
	}
}

func overwrite(at, text string) error {
	f, err := os.OpenFile(at, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 200)
	return errors.Join(err, f.Close())
}

// TestCrash stops at each point at which a process may die, and looks at what the
// next one does.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		story, folder string
		count         tally
		again         int
	}{
		{"before the letter was whole", tmp, tally{}, 0},
		{"after it was", fresh, tally{taken: 1}, 0},
		{"while it was taken", taken, tally{taken: 1}, 1},
		{"while it waited", waiting, tally{taken: 1}, 0},
	} {
		t.Run(c.story, func(t *testing.T) {
			dir, h := drop(t), new(house)
			name := add(t, dir, letter(t, short, "bob@sina.example"))
			if err := os.Rename(filepath.Join(dir, fresh, name), filepath.Join(dir, c.folder, name)); err != nil {
				t.Fatal(err)
			}
			sweep(t, h.sweeper(dir), c.count)
			if h.again != c.again {
				t.Errorf("%d told as second copies, want %d", h.again, c.again)
			}
		})
	}
}

func TestLettersWaitUntilTheyAreTaken(t *testing.T) {
	dir, h := drop(t), &house{fail: errors.New("no room")}
	add(t, dir, letter(t, short, "bob@sina.example"))
	sweep(t, h.sweeper(dir), tally{waiting: 1})
	sweep(t, h.sweeper(dir), tally{waiting: 1})
	if got := in(t, dir, waiting); len(got) != 1 {
		t.Errorf("waiting: %q", got)
	}
	h.fail = nil
	sweep(t, h.sweeper(dir), tally{taken: 1})
	if h.again != 0 {
		t.Error("a letter that was refused for the time being is told as a second copy")
	}
}

// TestDoubtStays: what was in doubt after a crash, and then had to wait, is still.
func TestDoubtStays(t *testing.T) {
	dir, h := drop(t), &house{fail: errors.New("no room")}
	name := add(t, dir, letter(t, short, "bob@sina.example"))
	if err := os.Rename(filepath.Join(dir, fresh, name), filepath.Join(dir, taken, name)); err != nil {
		t.Fatal(err)
	}
	sweep(t, h.sweeper(dir), tally{waiting: 1})
	h.fail = nil
	sweep(t, h.sweeper(dir), tally{taken: 1})
	if h.again != 1 {
		t.Error("the letter is not told as a possible second copy")
	}
}

func TestUnwelcomeLettersAreKept(t *testing.T) {
	dir, h := drop(t), &house{fail: fmt.Errorf("%w: nobody wants it", ErrUnwelcome)}
	add(t, dir, letter(t, short, "bob@sina.example"))
	sweep(t, h.sweeper(dir), tally{damaged: 1})
	if got := in(t, dir, unwelcome); len(got) != 1 {
		t.Errorf("put aside: %q", got)
	}
}

// TestTwoSweepers: each letter is handed on by one of them, though both look at all.
func TestTwoSweepers(t *testing.T) {
	const letters = 60
	dir, h := drop(t), new(house)
	for i := range letters {
		add(t, dir, letter(t, short, fmt.Sprintf("bob%d@sina.example", i)))
	}
	var wg sync.WaitGroup
	var counts [4]tally
	for i := range counts {
		wg.Go(func() {
			var err error
			if counts[i], err = h.sweeper(dir).sweep(t.Context(), []string{taken, waiting, fresh}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sum, seen := 0, map[string]bool{}
	for _, c := range counts {
		sum += c.taken
		if c.damaged+c.waiting > 0 {
			t.Errorf("a sweeper came to %+v", c)
		}
	}
	for _, l := range h.taken {
		seen[l] = true
	}
	if sum != letters || len(h.taken) != letters || len(seen) != letters || h.again != 0 {
		t.Errorf("%d letters were taken, %d of them different, %d as second copies; want %d", len(h.taken), len(seen), h.again, letters)
	}
}

// TestRun: new letters are taken within Every, those that wait ever less often.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := drop(t)
		var tries []time.Duration
		start := time.Now()
		s := Sweeper{Dir: dir, Every: 10 * time.Second, Submit: func(context.Context, *Letter) error {
			tries = append(tries, time.Since(start))
			if len(tries) < 6 {
				return errors.New("not now")
			}
			return nil
		}}
		stale := filepath.Join(dir, tmp, "stale")
		if err := os.WriteFile(stale, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(stale, start, start.Add(-48*time.Hour)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		time.Sleep(time.Second)
		add(t, dir, letter(t, short, "bob@sina.example"))
		time.Sleep(time.Hour)
		cancel()
		<-ended
		if want := "[10s 30s 1m10s 2m30s 5m10s 10m10s]"; fmt.Sprint(tries) != want {
			t.Errorf("tried after %v, want %s", tries, want)
		}
		if left := in(t, dir, tmp); len(left) > 0 {
			t.Errorf("left in tmp: %q", left)
		}
	})
}

func TestRunTellsOfAMissingDirectoryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := Sweeper{Dir: filepath.Join(t.TempDir(), "gone"), Submit: new(house).submit, Log: textLog(&log)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s.Run(ctx)
		if n := strings.Count(log.String(), "cannot be swept"); n < 1 || n > 2 { // with and without those that wait
			t.Errorf("told %d times: %s", n, log.String())
		}
	})
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drop")
	if err := os.Mkdir(dir, 0o777); err != nil { // another program's umask
		t.Fatal(err)
	}
	for _, c := range []struct {
		shared          bool
		top, open, file fs.FileMode
	}{
		{false, 0o700, 0o700, 0o600},
		{true, 0o711, 0o733 | fs.ModeSticky | fs.ModeSetgid, 0o640},
	} {
		if err := Make(dir, c.shared); err != nil {
			t.Fatal(err)
		}
		name := add(t, dir, letter(t, short, "bob@sina.example"))
		for at, want := range map[string]fs.FileMode{
			"": c.top, tmp: c.open, fresh: c.open, taken: 0o700, waiting: 0o700, unwelcome: 0o700, fresh + "/" + name: c.file,
		} {
			info, err := os.Stat(filepath.Join(dir, at))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode() &^ fs.ModeDir; got != want {
				t.Errorf("shared %v: %q has mode %v, want %v", c.shared, at, got, want)
			}
		}
	}
}

// TestLinkInPlaceOfAFolder: whoever was there first does not choose where mail goes.
func TestLinkInPlaceOfAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drop")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, fresh)); err != nil {
		t.Fatal(err)
	}
	if err := Make(dir, true); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%v, want that it is no directory", err)
	}
}

// TestBothNamesOfAMove: a power cut may leave a file where it was and where it went. It is
// taken once, and with a doubt if it may have been taken before.
func TestBothNamesOfAMove(t *testing.T) {
	for _, c := range []struct {
		story, from, to string
		again           int
	}{
		{"it was left", tmp, fresh, 0},
		{"it was to be taken", fresh, taken, 1},
		{"it had waited", waiting, taken, 1},
		{"it was to wait", taken, waiting, 1},
	} {
		t.Run(c.story, func(t *testing.T) {
			dir, h := drop(t), new(house)
			name := add(t, dir, letter(t, short, "bob@sina.example"))
			for _, folder := range []string{c.from, c.to} {
				if folder == fresh {
					continue
				}
				if err := os.Link(filepath.Join(dir, fresh, name), filepath.Join(dir, folder, name)); err != nil {
					t.Fatal(err)
				}
			}
			if c.from != fresh && c.to != fresh {
				if err := os.Remove(filepath.Join(dir, fresh, name)); err != nil {
					t.Fatal(err)
				}
			}
			sweep(t, h.sweeper(dir), tally{taken: 1})
			if h.again != c.again {
				t.Errorf("%d told as second copies, want %d", h.again, c.again)
			}
			for _, folder := range []string{tmp, fresh, taken, waiting, unwelcome} {
				if left := in(t, dir, folder); len(left) > 0 {
					t.Errorf("%s has %q", folder, left)
				}
			}
		})
	}
}
