package hostile

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/textproto"
	"strings"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

// letter is a message that somebody brings, as a story has it:
//
//	from ADDRESS         the sender of the envelope; default: none
//	to ADDRESS           default: bob@sina.com
//	hello NAME           default: the address of the client
//	sign DOMAIN [l=N]    the text is signed by DOMAIN, as far as l says
//	top FIELD            put on top when that is done
//	more LINE            put behind the text then
//	plus FIELD           put at the end of the header then
//
// and then an empty line and the text, in which ${5*ab} is written out.
type letter struct {
	from, to, hello string
	text            string
	signs           [][]string
	top, more, plus string
}

func (w *world) letter(text string) *letter {
	w.Helper()
	l := &letter{to: "bob@sina.com"}
	head, body, _ := strings.Cut(text, "\n\n")
	l.text = strings.ReplaceAll(spell(body), "\n", "\r\n")
	for line := range strings.Lines(spell(head + "\n")) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "from":
			l.from = rest
		case "to":
			l.to = rest
		case "hello":
			l.hello = rest
		case "sign":
			l.signs = append(l.signs, strings.Fields(rest))
		case "top":
			l.top += rest + "\r\n"
		case "more":
			l.more += rest + "\r\n"
		case "plus":
			l.plus += rest + "\r\n"
		default:
			w.Fatalf("%q is no line of a letter", line)
		}
	}
	return l
}

// written is the text as it is sent.
func (l *letter) written(w *world) string {
	w.Helper()
	text := l.text
	for _, s := range l.signs {
		text = w.signed(text, s[0], s[1:]) + text
	}
	header, body, _ := strings.Cut(text, "\r\n\r\n")
	return l.top + header + "\r\n" + l.plus + "\r\n" + body + l.more
}

// keyOf is the key of a domain, which is published when it is asked for first.
func (w *world) keyOf(domain string) ed25519.PrivateKey {
	w.Helper()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, domain)
	key := ed25519.NewKeyFromSeed(seed)
	record, err := senderauth.FormatKey(key.Public())
	w.must(err)
	w.zone.Drop("key._domainkey." + domain)
	w.must(w.zone.Add(fmt.Sprintf("key._domainkey.%s TXT %q\n", domain, record)))
	return key
}

// signed is the signature of a domain over a text. One over a part of the body is made by
// hand: the package dkim makes none.
func (w *world) signed(text, domain string, tags []string) string {
	w.Helper()
	h, body, err := message.ReadHeader(strings.NewReader(text), message.HeaderLimits{})
	w.must(err)
	var all bytes.Buffer
	_, err = all.ReadFrom(body)
	w.must(err)
	content := all.Bytes()
	list := senderauth.TagList{
		{Name: "v", Value: "1"},
		{Name: "a", Value: "ed25519-sha256"},
		{Name: "c", Value: "relaxed/simple"},
		{Name: "d", Value: domain},
		{Name: "s", Value: "key"},
	}
	for _, t := range tags {
		name, value, _ := strings.Cut(t, "=")
		if name == "l" {
			content = content[:min(number(value), len(content))]
		}
		list = append(list, senderauth.Tag{Name: name, Value: value})
	}
	var hash senderauth.Body
	hash.Want(senderauth.Simple)
	_, err = hash.Write(content)
	w.must(err)
	sum, _ := hash.Sum(senderauth.Simple)
	names := []string{"From", "Subject"}
	list = append(list, senderauth.Tag{Name: "h", Value: strings.Join(names, ":")},
		senderauth.Tag{Name: "bh", Value: base64.StdEncoding.EncodeToString(sum)})
	field, err := senderauth.SignField(w.keyOf(domain), senderauth.Relaxed, h, names, "DKIM-Signature", list)
	w.must(err)
	return string(field)
}

// bring brings a letter, and notes what it is told.
func (w *world) bring(to, client, text string) {
	w.Helper()
	l := w.letter(text)
	conn := w.dial(client, to)
	defer conn.Close()
	c := textproto.NewConn(conn)
	client = cmp.Or(client, stranger)
	said := []string{
		"", "EHLO " + cmp.Or(l.hello, "["+client+"]"), "MAIL FROM:<" + l.from + ">", "RCPT TO:<" + l.to + ">", "DATA",
		l.written(w) + ".",
	}
	for i, line := range said {
		if i > 0 {
			w.must(c.PrintfLine("%s", line))
		}
		code, reply, err := c.ReadResponse(0)
		w.must(err)
		if code >= 400 || i == len(said)-1 {
			w.heard = append(w.heard, fmt.Sprintf("%d %s\n", code, strings.ReplaceAll(reply, "\n", " / ")))
			return
		}
	}
}

// replies are what those were told who brought letters, since they were asked for last.
func (w *world) replies() string {
	out := w.clean(strings.Join(w.heard, ""))
	w.heard = nil
	return out
}
