package dkim_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
func itoa(n int64) string      { return strconv.FormatInt(n, 10) }

// A server signs what leaves, and judges what arrives while it streams to disk.
// In place of the zone stands net.DefaultResolver, or a resolver that caches.
func Example() {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	record, _ := senderauth.FormatKey(private.Public())
	dns := &zone{txt: map[string][]string{"2026a._domainkey.example.org": {record}}}

	msg := "From: Jo <jo@example.org>\r\nSubject: Lunch\r\n\r\nAt noon.\r\n"
	fields, err := dkim.Sign(strings.NewReader(msg), dkim.Key{Domain: "example.org", Selector: "2026a", Signer: private})
	if err != nil {
		fmt.Println(err)
		return
	}
	sent := string(fields) + msg

	header, body, err := message.ReadHeader(strings.NewReader(sent), message.HeaderLimits{})
	if err != nil {
		fmt.Println("554 5.6.0", err)
		return
	}
	v := dkim.NewVerifier(header, dkim.VerifyOptions{})
	disk := io.Discard
	io.Copy(io.MultiWriter(disk, v), body)
	for _, res := range v.Results(context.Background(), dns) {
		fmt.Println(res.Domain, res.Selector, res.Algorithm, res.Verdict)
	}
	// Output: example.org 2026a ed25519-sha256 pass
}
