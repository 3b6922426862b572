package intake_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/spool"
)

// messageID is one that was made here.
var messageID = regexp.MustCompile(`<[a-z2-7]{26}@mx\.sohu\.example>`)

// canaries are passwords that were said. They are to be found nowhere.
var canaries = []string{"lion-canary", "tiger-canary"}

// accounts are who may log in: the password of all is the first canary.
type accounts struct{}

func (accounts) Check(_ context.Context, name, password string) (*directory.Account, error) {
	a, err := accounts{}.Find(context.Background(), name)
	if err == nil && password != canaries[0] {
		err = directory.ErrNoLogin
	}
	return a, err
}

func (accounts) HasSCRAM() bool { return false }

func (accounts) Find(_ context.Context, name string) (*directory.Account, error) {
	switch name {
	case "ann@sohu.example", "gina@sina.example":
		return &directory.Account{Name: name}, nil
	case "robot":
		return &directory.Account{Name: name, Sends: &directory.Senders{List: []string{"news@sohu.example", "*@lists.sohu.example"}}}, nil
	case "boss@sohu.example":
		return &directory.Account{Name: name, Sends: &directory.Senders{Scope: directory.Domain}}, nil
	case "root":
		return &directory.Account{Name: name, Sends: &directory.Senders{Scope: directory.Any}}, nil
	}
	return nil, directory.ErrNoLogin
}

// newDoor lets accounts in; each may send six messages, and to eight recipients, at once.
func newDoor() *login.Door {
	book := login.NewBook(login.Budget{})
	book.Allow(login.Rule{Burst: 6, Each: 10 * time.Minute}, login.Rule{Burst: 8, Each: 10 * time.Minute})
	return login.New(login.Options{Accounts: accounts{}, Book: book})
}

// selfMade is TLS that looks the same on every machine.
func selfMade(t *testing.T) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mx.sohu.example"}}
	der, err := x509.CreateCertificate(rand.Reader, is, is, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MaxVersion:   tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	}
}

// searchCanaries looks for passwords in what was told, in the log and in the journal.
func (w *world) searchCanaries(told string) {
	w.Helper()
	page, err := w.spool.Facts(context.Background(), spool.FactQuery{})
	if err != nil && !errors.Is(err, spool.ErrFailed) { // some stories let the disk fail
		w.Error(err)
	}
	all := told + w.log.String()
	for _, f := range page.Facts {
		all += string(f.Data)
	}
	for _, c := range canaries {
		for shift := range 3 {
			coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + c))
			if strings.Contains(all, c) || strings.Contains(all, coded[4:len(coded)-4]) {
				w.Errorf("the password %s is in\n%s", c, all)
			}
		}
	}
}

// provers are accounts with verifiers.
type provers struct{ accounts }

func (provers) HasSCRAM() bool { return true }

func (provers) Find(ctx context.Context, name string) (*directory.Account, error) {
	a, err := accounts{}.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	client, err := scram.SHA256.NewClient(name, canaries[0], "")
	if err != nil {
		return nil, err
	}
	keys, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "sixteen octets..", Iters: 4096})
	a.SCRAM = &directory.SCRAM{Salt: []byte(keys.Salt), Iterations: keys.Iters, StoredKey: keys.StoredKey, ServerKey: keys.ServerKey}
	return a, err
}

// TestSCRAMEndsWithAnEmptyLine: the proof is good, and yet nobody has logged in before the
// client has said the empty line that ends the exchange (RFC 4954, 4).
func TestSCRAMEndsWithAnEmptyLine(t *testing.T) {
	for last, want := range map[string]string{"": "235 2.7.0", "bm9uc2Vuc2U=": "501 5.5.2", "*": "501 5.7.0"} {
		w := newWorld(t, "# submission: yes\n")
		w.desk.Reload(intake.Options{Hostname: "mx.sohu.example", Spool: w.spool, Logins: login.New(login.Options{Accounts: provers{}})})
		conn := w.connect()
		c := textproto.NewConn(conn)
		say := func(line, want string) string {
			t.Helper()
			if line != "connect" {
				if err := c.PrintfLine("%s", line); err != nil {
					t.Fatal(err)
				}
			}
			code, text, err := c.ReadResponse(0)
			if got := fmt.Sprint(code, " ", text); code == 0 || !strings.HasPrefix(got, want) {
				t.Fatalf("%.20s: %s, %v, want %s", line, got, err, want)
			}
			return text
		}
		say("connect", "220")
		say("EHLO client.example", "250")
		say("STARTTLS", "220")
		c = textproto.NewConn(tls.Client(conn, &tls.Config{InsecureSkipVerify: true}))
		say("EHLO client.example", "250")
		client, err := scram.SHA256.NewClient("ann@sohu.example", canaries[0], "")
		if err != nil {
			t.Fatal(err)
		}
		talk := client.NewConversation()
		first, err := talk.Step("")
		if err != nil {
			t.Fatal(err)
		}
		challenge, _ := base64.StdEncoding.DecodeString(say("AUTH SCRAM-SHA-256 "+base64.StdEncoding.EncodeToString([]byte(first)), "334"))
		proof, err := talk.Step(string(challenge))
		if err != nil {
			t.Fatal(err)
		}
		say(base64.StdEncoding.EncodeToString([]byte(proof)), "334")
		say(last, want)
		in := map[bool]string{true: "250", false: "530 5.7.0"}[last == ""]
		say("MAIL FROM:<ann@sohu.example>", in)
		c.Close()
		w.close()
	}
}
