package message_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/message"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestComposedMessages holds what is written against the files in
// testdata/compose: the message as fields, text, html, inline/ and attach/
// files, and then the eml that it becomes.
func TestComposedMessages(t *testing.T) {
	eachArchive(t, "testdata/compose/*.txt", func(t *testing.T, files map[string]string) (string, string) {
		cryptotest.SetGlobalRandom(t, 1) // boundaries and Message-ID
		m := messageOf(t, files)
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil {
			return "error", err.Error() + "\n"
		}
		checkLines(t, b.String())
		read(t, b.String())
		return "eml", strings.ReplaceAll(b.String(), "\r\n", "\n")
	})
}

// TestMessagesMadeSevenBit holds Encode7Bit against the files in
// testdata/sevenbit: a message as it is, and as it goes on.
func TestMessagesMadeSevenBit(t *testing.T) {
	eachArchive(t, "testdata/sevenbit/*.txt", func(t *testing.T, files map[string]string) (string, string) {
		var b bytes.Buffer
		err := message.Encode7Bit(&b, strings.NewReader(strings.ReplaceAll(files["in"], "\n", "\r\n")))
		if err != nil {
			return "error", err.Error() + "\n"
		}
		return "out", strings.ReplaceAll(b.String(), "\r\n", "\n")
	})
}

func eachArchive(t *testing.T, pattern string, run func(*testing.T, map[string]string) (name, got string)) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range a.Files {
				files[f.Name] = string(f.Data)
			}
			name, got := run(t, files)
			if *update {
				last := &a.Files[len(a.Files)-1]
				last.Name, last.Data = name, []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(files[name], got); diff != "" && !*update {
				t.Error(diff)
			}
		})
	}
}

func messageOf(t *testing.T, files map[string]string) *message.Message {
	m := &message.Message{Text: files["text"], HTML: files["html"]}
	header, _, err := message.ReadHeader(strings.NewReader(files["fields"]), message.HeaderLimits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range header {
		setField(t, m, f.Name(), f.Value())
	}
	for _, kind := range []string{"inline/", "attach/"} {
		for path, content := range files {
			if name, ok := strings.CutPrefix(path, kind); ok {
				a := message.Attachment{Name: name, Open: open(content)}
				if kind == "inline/" {
					a.ContentID = name + "@example.org"
				}
				m.Attachments = append(m.Attachments, a)
			}
		}
	}
	return m
}

func setField(t *testing.T, m *message.Message, name, value string) {
	list := func() message.AddressList {
		l, err := message.ParseAddressList(value)
		if err != nil {
			t.Fatal(name, err)
		}
		return l
	}
	switch name {
	case "From":
		m.From = list().Addresses()
	case "Sender":
		m.Sender = list().Addresses()[0]
	case "Reply-To":
		m.ReplyTo = list()
	case "To":
		m.To = list()
	case "Cc":
		m.Cc = list()
	case "Bcc":
		m.Bcc = list()
	case "Subject":
		m.Subject = value
	case "Date":
		date, err := time.Parse(time.RFC1123Z, value)
		if err != nil {
			t.Fatal(err)
		}
		m.Date = date
	case "In-Reply-To":
		m.InReplyTo = strings.Fields(value)
	case "References":
		m.References = strings.Fields(value)
	case "Internationalized":
		m.Internationalized = true
	case "Allow8Bit":
		m.Allow8Bit = true
	default:
		m.Fields = append(m.Fields, message.Field{Name: name, Value: value})
	}
}
