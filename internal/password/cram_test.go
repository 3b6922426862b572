package password_test

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/password"
)

// TestCRAM: what is kept answers like HMAC-MD5 with the password itself, whatever the length
// of either, and like nothing else.
func TestCRAM(t *testing.T) {
	answer := func(word, challenge string) string {
		mac := hmac.New(md5.New, []byte(word))
		mac.Write([]byte(challenge))
		return hex.EncodeToString(mac.Sum(nil))
	}
	for _, length := range []int{1, 16, 63, 64, 65, 200} {
		for _, asked := range []int{0, 1, 40, 63, 64, 65, 200} {
			word, challenge := strings.Repeat("x", length), strings.Repeat("y", asked)
			c := password.NewCRAM(word)
			if !c.Answers(challenge, answer(word, challenge)) || !c.Answers(challenge, strings.ToUpper(answer(word, challenge))) {
				t.Errorf("a password of %d octets does not answer a challenge of %d", length, asked)
			}
			for _, wrong := range []string{"", "x", answer(word, challenge+"y"), answer(word+"y", challenge), answer(word, challenge) + "00"} {
				if c.Answers(challenge, wrong) {
					t.Errorf("%q is an answer", wrong)
				}
			}
			if new(password.CRAM).Answers(challenge, answer(word, challenge)) {
				t.Error("nobody has answered")
			}
		}
	}
}

// TestCRAMOfOthers: the example of RFC 2195, 2, and what "doveadm pw -s CRAM-MD5" prints.
func TestCRAMOfOthers(t *testing.T) {
	tim := password.NewCRAM("tanstaaftanstaaf")
	if !tim.Answers("<1896.697170952@postoffice.reston.mci.net>", "b913a602c7eda7a495b4e6e7334d3890") {
		t.Error("Tim has not answered")
	}
	const kept = "CRAM-MD5$ade761ed373728fd9220c098cf44ccd447ea96063b039fab4c18f156a2bf100d"
	if got := password.NewCRAM("lion-canary").String(); got != kept {
		t.Errorf("kept is %s, by Dovecot %s", got, kept)
	}
	c, err := password.ParseCRAM(kept)
	if err != nil || c.String() != kept {
		t.Errorf("%v, %v", c, err)
	}
}

func TestCRAMThatIsNone(t *testing.T) {
	for _, text := range []string{"", "CRAM-MD5$", "CRAM-MD5$canary", "CRAM-MD5$" + strings.Repeat("0", 63), "CRAM-MD5$" + strings.Repeat("0", 66)} {
		if c, err := password.ParseCRAM(text); c != nil || err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
}

func FuzzParseCRAM(f *testing.F) {
	f.Add(password.NewCRAM("x").String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := password.ParseCRAM(text)
		if (c == nil) == (err == nil) || c != nil && !strings.EqualFold(strings.TrimPrefix(text, password.CRAMPrefix), strings.TrimPrefix(c.String(), password.CRAMPrefix)) {
			t.Error(c, err)
		}
	})
}
