package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp"
)

// rooms are the files in which rooms say what pages show.
var rooms = []string{
	"letter/checks.go", "letter/letter.go", "letter/body.go", "letter/field.go", "letter/part.go", "letter/split.go",
	"admin/explain.go", "admin/steps.go", "admin/judged.go", "admin/answer.go", "admin/message.go", "admin/story.go", "admin/sessions.go",
	"admin/filter.go", "admin/queue.go", "admin/find.go", "admin/overview.go", "find/query.go", "find/find.go", "inbox/query.go", "inbox/tags.go", "mail/id.go",
	"policy/verdict.go", "policy/ratelimit/ratelimit.go", "policy/greylist/greylist.go", "policy/dnsbl/dnsbl.go",
	"policy/sender/check.go", "policy/sender/words.go", "policy/sender/mail.go", "policy/sender/data.go",
	"policy/milter/session.go", "policy/milter/milter.go", "dispatch/record.go", "dispatch/report.go", "dispatch/via.go",
	"transport/remote/plan.go", "transport/remote/secure.go", "tlspolicy/remembered/memory.go", "tlspolicy/mtasts/source.go",
	"tlspolicy/dane/dane.go", "session/session.go",
}

// unshown are sentences in those files that no page shows: the log says them, or replies
// to clients do, which are in English by their nature.
var unshown = []string{
	"Gmail, Outlook, Yahoo", "Gmail, Apple Mail", // names
	"a request of an operator was not answered", "a text was not sent whole", "an entry of the journal cannot be read",
	"an operator has cut a session", "an operator gave an order", "no report is sent", "a report goes to the recipient",
	"no report could be written; trying again", "there is more behind the object", "TLS seen before: %s",
	"nobody lives at the root", "\"%s\" is no domain: %s", "its port is none", "\"%s\" is no address of a known kind",

	// Replies.
	"It is too large for every listener", "Too many %s from your %s, try again later", "Greylisted: come again in %s",
	"Your address %s is in the list %s", "The policy of the author's domain cannot be found out now, try again later",
	"The message must have one From field that names its author", "Neither SPF nor DKIM speaks for %s, which wants such mail refused (DMARC)",
	"Service unavailable, try again later", "Closing the connection", "The domain %s does not exist", "The domain %s has no usable mail exchanger: %s",
	"The domain %s takes no mail (null MX)", "Mail for %s loops back to this host", "No host that takes the mail of %s has an address: %s",
	" (TLS is needed: ",
}

// TestRoomsAreUnderstood reads the sentences of other rooms where they are written, and
// wants a phrase for each: who teaches a room a new one is told here to say it in Chinese.
func TestRoomsAreUnderstood(t *testing.T) {
	var english []string
	for _, p := range phrases() {
		english = append(english, p[0])
	}
	all := strings.Join(english, "\n")
	for _, file := range rooms {
		for _, s := range sentencesOf(t, filepath.Join("..", "..", filepath.FromSlash(file))) {
			if !strings.Contains(all, s) && !slices.Contains(unshown, s) {
				t.Errorf("internal/%s says %q, and no phrase says it in Chinese", file, s)
			}
		}
	}
	en := &phrasebook{lang: &languages[0]}
	zh := newPhrasebook(&languages[1])
	for i := range smtp.Codes {
		if c := &smtp.Codes[i]; c.Code >= 400 && zh.meaning(c.Code.String()+" x") == "" {
			t.Errorf("%s is not explained: %s", c.Code, c.Meaning)
		}
	}
	for i := range smtp.EnhancedCodes {
		if c := &smtp.EnhancedCodes[i]; zh.tell(c.Meaning).Lang != "" {
			t.Errorf("X.%d.%d is not explained: %s", c.Subject, c.Detail, c.Meaning)
		}
	}
	if en.meaning("550 5.1.1 No such user") != "" {
		t.Error("who reads English is told twice what a reply says")
	}
}

var verb = regexp.MustCompile(`%[-+#0-9.]*[a-z]`)

// sentencesOf are the texts of a file that have three words or more, with %s for all that
// is put into them.
func sentencesOf(t *testing.T, file string) (found []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.CallExpr: // names of planted bugs are shown to nobody
			if called, is := n.Fun.(*ast.SelectorExpr); is {
				room, is := called.X.(*ast.Ident)
				return !is || room.Name != "sabotage"
			}
		case *ast.BasicLit:
			if n.Kind != token.STRING {
				return false
			}
			text, err := strconv.Unquote(n.Value)
			if err != nil {
				t.Fatal(err)
			}
			text = verb.ReplaceAllString(strings.ReplaceAll(text, "%q", `"%s"`), "%s")
			if isSentence(strings.ReplaceAll(text, "%s", "")) {
				found = append(found, text)
			}
		}
		return true
	})
	return found
}

// isSentence: it has three words of two letters or more, with spaces between them.
func isSentence(text string) bool {
	words := 0
	for _, word := range strings.Fields(text) {
		if regexp.MustCompile(`^[(<]?[A-Za-z]{2,}[.,:;)>]*$`).MatchString(word) {
			words++
		}
	}
	return words >= 3
}

// TestPhrases: each has its places in every language, and is found by itself.
func TestPhrases(t *testing.T) {
	places := regexp.MustCompile(`%(?:\[\d\])?s`)
	seen := map[string]bool{}
	for _, p := range phrases() {
		if seen[p[0]] {
			t.Errorf("%q stands twice in the table", p[0])
		}
		seen[p[0]] = true
		if a, b := len(places.FindAllString(p[0], -1)), len(places.FindAllString(p[1], -1)); a != b {
			t.Errorf("%q has %d places, %q has %d", p[0], a, p[1], b)
		}
		if strings.Contains(p[1], "%[1]s") && !strings.Contains(p[1], "%[2]s") {
			t.Errorf("%q counts half of its places", p[1])
		}
	}
	zh := newPhrasebook(&languages[1])
	for sentence, want := range map[string]string{
		`Route "sender" does not fit: the sender is <>.`:                                                                                             "路由“sender”不匹配：发件人是 <>。",
		"If it is deferred it is tried again after 5m..1h, 8h; it is given up after 5d.":                                                             "如被推迟，5分钟–1小时, 8小时 后重试；5天 后放弃。",
		"removed 2 Authentication-Results that claimed to be ours, clam: changed 3 fields":                                                           "移除了 2 个冒充本机的 Authentication-Results，clam：修改了 3 个字段",
		"verified (MTA-STS policy of sina.example, id 20261123)":                                                                                     "必须加密并验证（sina.example 的 MTA-STS 策略，id 20261123）",
		`there are 2 From fields, and mail programs show different ones`:                                                                             "有 2 个 From 字段，不同的邮件程序会显示不同的那个",
		"Deliveries at a time: any number to this destination, 9 (60 in 1m) to its operator, any number by this route; up to 50 recipients in each.": "同时投递数：到此目的地 不限，到其运营方 9（每 1分钟 60 次），经此路由 不限；每次最多 50 个收件人。",
	} {
		if got := zh.tell(sentence); got.Text != want || got.Lang != "" {
			t.Errorf("%s\n is told as %+v\n      want %s", sentence, got, want)
		}
	}
	if got := zh.tell("Nobody has taught us this"); got.Lang != "en" || got.Text != "Nobody has taught us this" {
		t.Errorf("what is not known is told as %+v", got)
	}
	if got := zh.meaning("450 4.7.1 Greylisted, come back later"); got != "因策略拒绝投递" {
		t.Errorf("a reply means %q", got)
	}
}
