package maildir_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport/maildir"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

func postman(t *testing.T, o maildir.Options) *maildir.Transport {
	t.Helper()
	if o.Root == "" {
		o.Root = t.TempDir()
	}
	tr, err := maildir.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func send(t *testing.T, tr *maildir.Transport, text string, to ...string) string {
	t.Helper()
	d := transporttest.Delivery(transporttest.Envelope(t, to...), text, mail.Hop{})
	outcomes := tr.Deliver(t.Context(), d)
	transporttest.Check(t, d, outcomes)
	return transporttest.Tell(outcomes)
}

// inside returns the files below a directory, by their folders.
func inside(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		folder, _ := filepath.Rel(root, filepath.Dir(path))
		found[folder] = append(found[folder], string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTransportSuite(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		return transporttest.Subject{Transport: postman(t, maildir.Options{}), Domain: "b.test", Accepted: mail.Delivered}
	})
}

// TestPlaces: who gets his mail where, and who has no place.
func TestPlaces(t *testing.T) {
	for _, c := range []struct{ path, to, want string }{ // want "": refused
		{"", "Jane@B.test", "b.test/jane"},
		{"", "jane+lists@b.test", "b.test/jane"},
		{"", "+x@b.test", "b.test/+x"},
		{"", "jane@例え.test", "xn--r8jz45g.test/jane"},
		{"", `"jane doe"@b.test`, "b.test/jane doe"},
		{"", `"../../etc"@b.test`, ""},
		{"", `".."@b.test`, ""},
		{"", `"."@b.test`, ""},
		{"", `".hidden"@b.test`, ""},
		{"", `"a/b"@b.test`, ""},
		{"", `""@b.test`, ""},
		{"", `"%{domain}"@b.test`, "b.test/%{domain}"},
		{"", "postmaster", ""},
		{"u-%{user}/Mail", `".."@b.test`, "u-../Mail"},
		{"all/%{user}@%{domain}", "j@b.test", "all/j@b.test"},
	} {
		root := t.TempDir()
		tr := postman(t, maildir.Options{Root: filepath.Join(root, "home"), Path: c.path, Tag: "+"})
		got := send(t, tr, transporttest.Hello, c.to)
		files := inside(t, root)
		if c.want == "" {
			if !strings.HasPrefix(got, "0 failed 553 5.1.3 no Maildir for") || len(files) != 0 {
				t.Errorf("%s: %s%q", c.to, got, files)
			}
			continue
		}
		if len(files) != 1 || len(files[filepath.Join("home", filepath.FromSlash(c.want), "new")]) != 1 || !strings.HasPrefix(got, "0 delivered 250 2.0.0 Delivered as "+c.want+"/new/") {
			t.Errorf("%s: %s%q", c.to, got, files)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, path := range []string{"/%{user}", "../%{user}", "%{user}/..", "a//b", "%{home}", "%user", ".x", "a\nb"} {
		if _, err := maildir.New(maildir.Options{Path: path}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestText: the message is whole, below two fields.
func TestText(t *testing.T) {
	root := t.TempDir()
	tr := postman(t, maildir.Options{Root: root})
	send(t, tr, transporttest.Hello, "jane@b.test")
	want := "Return-Path: <s@a.test>\r\nDelivered-To: jane@b.test\r\n" + transporttest.Hello
	if got := inside(t, root)["b.test/jane/new"]; len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
}

// TestShortText: a text that ends before its size leaves nothing behind.
func TestShortText(t *testing.T) {
	root := t.TempDir()
	tr := postman(t, maildir.Options{Root: root})
	for _, x := range []*transporttest.Text{{Octets: transporttest.Hello, Longer: 1}, {Octets: transporttest.Hello, Longer: -1}, {Octets: transporttest.Hello, ReadErr: transporttest.ErrDisk}} {
		d := transporttest.Delivery(transporttest.Envelope(t, "jane@b.test"), "", mail.Hop{})
		d.Content = x
		outcomes := tr.Deliver(t.Context(), d)
		transporttest.Check(t, d, outcomes)
		if got := transporttest.Tell(outcomes); !strings.HasPrefix(got, "0 deferred 451 4.3.0 The text cannot be read") {
			t.Error(got)
		}
	}
	if files := inside(t, root); len(files) != 0 {
		t.Errorf("%q", files)
	}
}

// TestFolderMovedAway: nobody looks for mail in a folder that was moved away. None is left
// there, and the next attempt goes into the one that took its place.
func TestFolderMovedAway(t *testing.T) {
	root := t.TempDir()
	tr := postman(t, maildir.Options{Root: root})
	send(t, tr, transporttest.Hello, "jane@b.test")
	box := filepath.Join(root, "b.test", "jane")
	if err := errors.Join(os.Rename(filepath.Join(box, "new"), filepath.Join(box, "old")), os.Mkdir(filepath.Join(box, "new"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if got := send(t, tr, transporttest.Hello, "jane@b.test"); !strings.HasPrefix(got, "0 deferred 451 4.3.0 The mailbox cannot be written: new is not what it was") {
		t.Error(got)
	}
	if got := send(t, tr, transporttest.Hello, "jane@b.test"); !strings.HasPrefix(got, "0 delivered 250 2.0.0") {
		t.Error(got)
	}
	files := inside(t, root)
	if len(files["b.test/jane/old"]) != 1 || len(files["b.test/jane/new"]) != 1 || len(files) != 2 {
		t.Errorf("%q", files)
	}
}

// TestQuota: a full mailbox takes no more until somebody has removed something.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		tr := postman(t, maildir.Options{Root: root, Quota: 250})
		for i, want := range []string{"delivered", "delivered", "deferred 452 4.2.2 The mailbox is full"} {
			if got := send(t, tr, transporttest.Hello, "jane@b.test"); !strings.HasPrefix(got, "0 "+want) {
				t.Errorf("message %d: %s", i, got)
			}
		}
		if got := send(t, tr, transporttest.Hello, "other@b.test"); !strings.HasPrefix(got, "0 delivered") {
			t.Error(got)
		}
		folder := filepath.Join(root, "b.test", "jane", "new")
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 2 {
			t.Fatal(files, err)
		}
		if err := os.Rename(filepath.Join(folder, files[0].Name()), filepath.Join(root, "b.test", "jane", "cur", "kept")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := send(t, tr, transporttest.Hello, "jane@b.test"); !strings.HasPrefix(got, "0 deferred") {
			t.Errorf("what is in cur does not count: %s", got)
		}
		if err := os.Remove(filepath.Join(folder, files[1].Name())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := send(t, tr, transporttest.Hello, "jane@b.test"); !strings.HasPrefix(got, "0 delivered") {
			t.Error(got)
		}
	})
}

// TestManyMaildirs: more than are kept open, and one that goes away meanwhile.
func TestManyMaildirs(t *testing.T) {
	root := t.TempDir()
	tr := postman(t, maildir.Options{Root: root, MaxOpen: 3})
	before := descriptors(t)
	for range 2 {
		for i := range 20 {
			if got := send(t, tr, transporttest.Hello, fmt.Sprintf("u%d@b.test", i)); !strings.HasPrefix(got, "0 delivered") {
				t.Error(got)
			}
		}
	}
	if n := descriptors(t) - before; n > 3*3 {
		t.Errorf("%d more descriptors are open", n)
	}
	if err := os.RemoveAll(filepath.Join(root, "b.test", "u19")); err != nil {
		t.Fatal(err)
	}
	if got := send(t, tr, transporttest.Hello, "u19@b.test"); !strings.HasPrefix(got, "0 deferred 451 4.3.0 The mailbox cannot be written") {
		t.Error(got)
	}
	if got := send(t, tr, transporttest.Hello, "u19@b.test"); !strings.HasPrefix(got, "0 delivered") {
		t.Error(got)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this system does not tell what is open")
	}
	return len(files)
}

// TestInTheWay: a file where a Maildir should be.
func TestInTheWay(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "b.test"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := send(t, postman(t, maildir.Options{Root: root}), transporttest.Hello, "u@b.test"); !strings.HasPrefix(got, "0 deferred 451 4.3.0") {
		t.Error(got)
	}
}

// TestInterrupted between two recipients.
func TestInterrupted(t *testing.T) {
	tr := postman(t, maildir.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	d := transporttest.Delivery(transporttest.Envelope(t, "a@b.test", "b@b.test"), "", mail.Hop{})
	d.Content = cancels{&transporttest.Text{Octets: transporttest.Hello}, cancel}
	outcomes := tr.Deliver(ctx, d)
	transporttest.Check(t, d, outcomes)
	if got := transporttest.Tell(outcomes); !strings.HasPrefix(got, "0 delivered") || !strings.Contains(got, "\n1 deferred") || !strings.Contains(got, "our limit") {
		t.Error(got)
	}
}

// cancels is a text that is read once.
type cancels struct {
	*transporttest.Text
	cancel func()
}

func (c cancels) Size() int64 { c.cancel(); return c.Text.Size() }

// TestAliases: the Maildir is that which the alias names, whatever the address is.
func TestAliases(t *testing.T) {
	root := t.TempDir()
	tr := postman(t, maildir.Options{Aliases: true})
	for into, want := range map[string]string{root + "/robot/": "0 delivered 250 2.0.0 Delivered as " + root + "/robot/", "robot/": "0 failed 553 5.1.3"} {
		d := transporttest.Delivery(transporttest.Envelope(t, `"../../x"@b.test`), transporttest.Hello, mail.Hop{})
		d.Envelope.To[0].Into = into
		outcomes := tr.Deliver(t.Context(), d)
		transporttest.Check(t, d, outcomes)
		if got := transporttest.Tell(outcomes); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", into, got)
		}
	}
	if n := len(inside(t, root)["robot/new"]); n != 1 {
		t.Errorf("%d messages: %v", n, inside(t, root))
	}
}
