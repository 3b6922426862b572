package letter_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"github.com/posthouse/posthouse/internal/letter"
)

const (
	chinese  = "您好，王芳。您在我们商店的订单已经发货，预计三天之内到达。如有问题请联系客服。"
	tradit   = "您好，王芳。您在我們商店的訂單已經發貨，預計三天之內到達。如有問題請聯絡客服。"
	japanee  = "こんにちは。ご注文の商品を発送しました。三日以内に到着する予定です。"
	koreann  = "안녕하세요. 주문하신 상품이 발송되었습니다. 사흘 안에 도착할 예정입니다."
	russian  = "Здравствуйте! Ваш заказ отправлен и прибудет в течение трёх дней. Спасибо за покупку."
	european = "Schöne Grüße aus München – das Café hat geöffnet."
)

// TestCharsets: text is read as it was written, with the right label, with a wrong one,
// and without any.
func TestCharsets(t *testing.T) {
	for _, c := range []struct {
		label string
		enc   encoding.Encoding
		text  string
		guess bool // is read without its label, too
	}{
		{"gb2312", simplifiedchinese.GBK, chinese, true},
		{"GBK", simplifiedchinese.GBK, chinese + "喆镕", true},
		{"gb18030", simplifiedchinese.GB18030, chinese + "㐂𠮷", false},
		{"cp936", simplifiedchinese.GBK, chinese, true},
		{"hz-gb-2312", simplifiedchinese.HZGB2312, chinese, false},
		{"big5", traditionalchinese.Big5, tradit, true},
		{"iso-2022-jp", japanese.ISO2022JP, japanee, true},
		{"shift_jis", japanese.ShiftJIS, japanee, true},
		{"euc-jp", japanese.EUCJP, japanee, true},
		{"euc-kr", korean.EUCKR, koreann, true},
		{"koi8-r", charmap.KOI8R, russian, true},
		{"windows-1251", charmap.Windows1251, russian, true},
		{"windows-1252", charmap.Windows1252, european, true},
		{"iso-8859-15", charmap.ISO8859_15, "Preis: 20 €, gültig für später", false},
		{"utf-8", encoding.Nop, chinese + russian + "😀", true},
	} {
		raw, err := c.enc.NewEncoder().String(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.label, err)
		}
		body := base64.StdEncoding.EncodeToString([]byte(raw))
		field := "Content-Type: text/plain; charset="
		read := func(label string) string {
			return letter.Parse([]byte(field + label + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body)).Text()
		}
		if got := read(c.label); got != c.text {
			t.Errorf("%s was read as %q", c.label, got)
		}
		if !c.guess {
			continue
		}
		for _, wrong := range []string{"us-ascii", "utf-8", "nonsense", "unknown-8bit", `""`} {
			if got := read(wrong); got != c.text {
				t.Errorf("%s under the label %s was read as %q", c.label, wrong, got)
			}
		}
	}
}

// TestRawHeader: a subject in the octets of another charset is guessed, and that is told.
func TestRawHeader(t *testing.T) {
	raw, err := simplifiedchinese.GBK.NewEncoder().String(chinese)
	if err != nil {
		t.Fatal(err)
	}
	l := letter.Parse([]byte("Subject: " + raw + "\r\nFrom: a@b.test\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n"))
	if l.Subject != chinese {
		t.Errorf("the subject was read as %q", l.Subject)
	}
	if len(l.Problems) != 1 || !strings.Contains(l.Problems[0].What, "not in UTF-8") {
		t.Errorf("problems: %v", l.Problems)
	}
}

// TestBig5UnderGB: a label that fits the octets is believed.
func TestLabelThatFits(t *testing.T) {
	l := letter.Parse([]byte("Content-Type: text/html\r\n\r\n<meta charset=\"windows-1251\">" + string(must(charmap.Windows1251.NewEncoder().String("Да")))))
	if !strings.HasSuffix(l.HTML(), "Да") {
		t.Errorf("HTML that names its charset was read as %q", l.HTML())
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}
