package smtpserver_test

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// FuzzSession throws octets at a session, cut into writes at the given size.
// Whatever they are, every reply is well formed and may answer its verb, the
// Handler's contract is kept, and nothing of the session is left behind.
func FuzzSession(f *testing.F) {
	for _, pattern := range []string{"testdata/*.txt", "../testdata/dialogues/*.txt"} {
		paths, _ := filepath.Glob(pattern)
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(clientSide(string(text)), uint8(0), strings.Contains(p, "lmtp"))
		}
	}
	f.Add([]byte("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 9223372036854775807\r\nx"), uint8(3), false)
	f.Add([]byte("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\na\r\n.\n\r.\r\n.\r\n"), uint8(1), false)
	f.Fuzz(func(t *testing.T, said []byte, size uint8, lmtp bool) {
		s := &smtpserver.Server{LMTP: lmtp, TLS: withCertificate(), PlaintextAuth: true}
		s.Offer = ^smtp.ExtensionSet(0)
		s.Limits = smtpserver.Limits{MessageSize: 4096, Discard: 8192}
		inWorld(t, s, func(w *world) {
			conn := w.dial(stranger)
			go func() {
				for chunk := range slices.Chunk(said, int(size)+1) {
					if _, err := conn.Write(chunk); err != nil {
						break
					}
				}
			}()
			readReplies(t, conn)
			_ = conn.Close()
			synctest.Wait()
		})
	})
}

// FuzzProxy throws octets at a server where a trusted proxy is to say who its client is. Whatever they
// are, who says nothing that is a header is not greeted, and nobody becomes one who may say XCLIENT.
func FuzzProxy(f *testing.F) {
	const v2 = "\r\n\r\n\x00\r\nQUIT\n"
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\nEHLO a\r\n"))
	f.Add([]byte("PROXY TCP6 2001:db8::1 2001:db8::2 40000 25\r\nXCLIENT LOGIN=a\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\nNOOP\r\n"))
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 99999 25\r\n"))
	f.Add([]byte("PROXY " + strings.Repeat("x", 300)))
	f.Add([]byte(v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x9c\x40\x00\x19EHLO a\r\n"))
	f.Add([]byte(v2 + "\x20\x00\xff\xff"))
	f.Add([]byte("EHLO a\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		s := &smtpserver.Server{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}}
		inWorld(t, s, func(w *world) {
			conn := w.dial(stranger)
			go func() { _, _ = conn.Write(said) }()
			r := bufio.NewReader(conn)
			first, err := r.ReadString('\n')
			if err == nil && strings.HasPrefix(first, "220") && !bytes.HasPrefix(said, []byte("PROXY ")) && !bytes.HasPrefix(said, []byte(v2)) {
				t.Errorf("%q was greeted with %q", said, first)
			}
			readReplies(t, r)
			_ = conn.Close()
			synctest.Wait()
		})
	})
}

// readReplies reads to the end, which idleness brings, and holds each line to
// the syntax of replies until TLS may have begun.
func readReplies(t *testing.T, conn io.Reader) {
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			t.Errorf("line %q does not end with CRLF", line)
		}
		replyLine(t, text)
		if strings.HasSuffix(text, "ready to start TLS") {
			_, _ = io.Copy(io.Discard, r)
			return
		}
	}
}

// clientSide is what the client says in a transcript.
func clientSide(text string) []byte {
	var out []byte
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if said, ok := strings.CutPrefix(line, "C:"); ok {
			out = append(out, strings.TrimPrefix(said, " ")+"\r\n"...)
		}
		if said, ok := strings.CutPrefix(line, "C> "); ok {
			out = append(out, strings.NewReplacer(`"`, "", `\r`, "\r", `\n`, "\n", `\x00`, "\x00").Replace(said)...)
		}
	}
	return out
}
