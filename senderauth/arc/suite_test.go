package arc_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
)

// scenario is one document of ValiMail's test suite.
type scenario struct {
	Tests   cases
	Records map[string]string `yaml:"txt-records"`
	Key     string            `yaml:"privatekey"`
	Domain  string
	Sel     string
}

// suiteCase is one message, and what a verifier says of it or a sealer adds to it.
type suiteCase struct {
	Name    string `yaml:"-"`
	Message string
	CV      string // None, Pass or Fail; empty where a program of 2018 said nothing
	AAR     string `yaml:"AAR"`
	AMS     string `yaml:"AMS"`
	AS      string `yaml:"AS"`
	SrvID   string `yaml:"srv-id"`
}

// cases are a list, as four names stand twice in the suite.
type cases []suiteCase

func (all *cases) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i < len(n.Content); i += 2 {
		c := suiteCase{}
		if err := n.Content[i+1].Decode(&c); err != nil {
			return err
		}
		c.Name = n.Content[i].Value
		*all = append(*all, c)
	}
	return nil
}

// TestSuiteOfVerifying runs the public suite, all of it, against the words of RFC 8617: where
// they and the suite (of the draft before it) differ, the table says why.
func TestSuiteOfVerifying(t *testing.T) {
	ran := 0
	for _, s := range readSuite(t, "testdata/valimail/arc-draft-validation-tests.yml") {
		w := s.world()
		for _, c := range s.Tests {
			ran++
			t.Run(c.Name, func(t *testing.T) {
				want := strings.ToLower(c.CV)
				if d, ok := differs[c.Name]; ok {
					want = d.want
				}
				if got := w.verify(t, c.text()); string(got.Verdict) != want {
					t.Errorf("got %s (%v), want %s", got.Verdict, got.Err, want)
				}
			})
		}
	}
	if ran != 174 {
		t.Errorf("the suite has %d cases, not 174: was it cut?", ran)
	}
}

// differs are the cases in which RFC 8617 wants something else than the suite, which was made for
// the draft before it.
var differs = map[string]struct{ want, section string }{
	"cv_fail_i1_as_cv_fail": {"fail", "RFC 8617, 5.2, 2: a chain sealed with cv=fail is one that failed"},
	"cv_fail_i2_as2_fail":   {"fail", "RFC 8617, 5.2, 2"},
	"cv_fail_i2_as1_fail":   {"fail", "RFC 8617, 5.2, 3 C"},
	"ams_fields_a_sha1":     {"fail", "RFC 8301, 3.1: rsa-sha1 must not be taken for a signature"},
	"as_fields_a_sha1":      {"fail", "RFC 8301, 3.1"},
	"ams_fields_h_empty":    {"fail", "RFC 6376, 5.4: From must be signed"},
}

// refolded are the cases in which a set of the message has other line ends than when it was sealed: its
// seal is broken before anything is added. What is added must hold all the same; the newest seal is looked
// at first.
var refolded = map[string]string{"i1_base": "seal 1", "i2_base": "seal 2"}

// TestSuiteOfSealing verifies what the suite says that a sealer adds (it fixes the order of tags and
// the fields that are signed, so that ours is another one), and what ours adds to the same messages.
func TestSuiteOfSealing(t *testing.T) {
	ran := 0
	for _, s := range readSuite(t, "testdata/valimail/arc-draft-sign-tests.yml") {
		w := s.world()
		for _, c := range s.Tests {
			ran++
			t.Run(c.Name, func(t *testing.T) { c.seal(t, w, s.key(t)) })
		}
	}
	if ran != 17 {
		t.Errorf("the suite has %d cases, not 17: was it cut?", ran)
	}
}

func (c suiteCase) seal(t *testing.T, w *world, key arc.Key) {
	came := w.verify(t, c.text())
	if c.AS == "" {
		if _, err := arc.NewSealer(header(t, c.text()), came, senderauth.Results{ID: c.SrvID}, key); err == nil {
			t.Error("a chain that was sealed as failed got another set")
		}
		return
	}
	want := senderauth.Pass
	if came.Verdict == senderauth.Fail {
		want = senderauth.Fail
	}
	theirs := "ARC-Seal: " + onOneLine(c.AS) + "\r\nARC-Message-Signature: " + onOneLine(c.AMS) +
		"\r\nARC-Authentication-Results: " + strings.Join(strings.Fields(c.AAR), " ") + "\r\n"
	if got := w.verify(t, theirs+c.text()); got.Verdict != want {
		t.Errorf("their seal: got %s (%v), want %s", got.Verdict, got.Err, want)
	} else if older := refolded[c.Name]; older != "" && !strings.HasPrefix(got.Err.Error(), older) {
		t.Errorf("their seal: it is to hold, and not %s: %v", older, got.Err)
	}
	if got := w.verify(t, sealed(t, c.text(), came, senderauth.Results{ID: c.SrvID}, key)); got.Verdict != want {
		t.Errorf("our seal: got %s (%v), want %s", got.Verdict, got.Err, want)
	}
}

// onOneLine is a list of tags as the suite wants it sealed: one space behind each semicolon.
func onOneLine(tags string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(tags), ""), ";", "; ")
}

func header(t *testing.T, msg string) message.Header {
	h, _, err := message.ReadHeader(strings.NewReader(msg), message.HeaderLimits{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sealed is a message with one set more.
func sealed(t *testing.T, msg string, came arc.Result, found senderauth.Results, key arc.Key) string {
	h, body, err := message.ReadHeader(strings.NewReader(msg), message.HeaderLimits{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := arc.NewSealer(h, came, found, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(s, body); err != nil {
		t.Fatal(err)
	}
	fields, err := s.Fields()
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + msg
}

// text is the message with the line ends that it has on the wire.
func (c suiteCase) text() string { return strings.ReplaceAll(c.Message, "\n", "\r\n") }

func (s scenario) world() *world {
	txt := map[string]string{}
	for name, value := range s.Records {
		txt[name] = strings.ReplaceAll(value, "\n", "")
	}
	return &world{dns: &zone{txt: txt}}
}

func (s scenario) key(t *testing.T) arc.Key {
	block, _ := pem.Decode([]byte(s.Key))
	if block == nil {
		t.Fatal("the scenario has no key")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return arc.Key{Domain: s.Domain, Selector: s.Sel, Signer: (*rsa.PrivateKey)(key)}
}

func readSuite(t *testing.T, file string) (all []scenario) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var s scenario
		switch err := dec.Decode(&s); err {
		case nil:
			all = append(all, s)
		case io.EOF:
			return all
		default:
			t.Fatal(err)
		}
	}
}
