package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Step is where in a dialogue something happens.
type Step string

// The steps, in the order of a dialogue.
const (
	Connect  Step = "connect"  // before the greeting
	Helo     Step = "helo"     // HELO and EHLO
	StartTLS Step = "starttls" // the command, and the handshake after it
	Auth     Step = "auth"
	Mail     Step = "mail"
	Rcpt     Step = "rcpt"
	Data     Step = "data" // the command, or the first chunk
	Dot      Step = "dot"  // the whole text has come
)

// Steps are all steps.
var Steps = []Step{Connect, Helo, StartTLS, Auth, Mail, Rcpt, Data, Dot}

// verbs are those that may be answered at a step.
var verbs = map[Step]smtp.Verb{
	Connect: smtp.Greeting, Helo: smtp.VerbEHLO, StartTLS: smtp.VerbSTARTTLS, Auth: smtp.VerbAUTH,
	Mail: smtp.VerbMAIL, Rcpt: smtp.VerbRCPT, Data: smtp.VerbDATA, Dot: smtp.Dot,
}

// Certificate is what is wrong with a certificate that a client is shown.
type Certificate string

// What may be wrong with a certificate.
const (
	Expired   Certificate = "expired"
	WrongName Certificate = "wrong-name"
)

// Rule says what happens when. Its conditions are On, To, From, Login, Tries; all that are
// given must fit. The rest is what happens, in words as a file has them; a rule has at
// least one of these.
type Rule struct {
	On Step `json:"on"`

	// To, From and Login are patterns, in any case: "*" stands for anything. To fits
	// if it fits one of the recipients so far.
	To    string `json:"to,omitempty"`
	From  string `json:"from,omitempty"`
	Login string `json:"login,omitempty"`
	// Tries says which tries are meant, counted from 1 for the same client, sender and recipients: "1",
	// "2-3", "3-". "" is all.
	Tries string `json:"tries,omitempty"`

	// Reply is what the client is told: "450 4.2.0 Come back later" refuses, and "250 2.0.0 Queued as
	// 4711" goes on in these words.
	Reply string `json:"reply,omitempty"`
	// Delay holds the answer back: "2s"; ten minutes at most.
	Delay string `json:"delay,omitempty"`
	// Drop cuts the connection instead of an answer. At the step dot the message was kept.
	Drop bool `json:"drop,omitempty"`
	// Trickle lets an octet of what we say out each so often, from now on: "100ms"; ten
	// seconds at most.
	Trickle string `json:"trickle,omitempty"`
	// Certificate is shown in place of the right one; only at the step starttls.
	Certificate Certificate `json:"certificate,omitempty"`
	// Greylist refuses the first try with 451 and each one that comes sooner than this
	// after it; only at the step rcpt: "5m".
	Greylist string `json:"greylist,omitempty"`
	// Rate lets a client do this so often, and tells it 421 then: "10/1m".
	Rate string `json:"rate,omitempty"`
}

// compiled is a rule that can be asked.
type compiled struct {
	Rule
	first, last int // tries; last 0: no end
	reply       *smtp.Reply
	delay       time.Duration
	trickle     time.Duration
	greylist    time.Duration
	most        int // times ...
	per         time.Duration
}

// Longest that something may take.
const (
	maxDelay   = 10 * time.Minute
	maxTrickle = 10 * time.Second
)

// compile reads the words of a rule.
func (r Rule) compile() (c compiled, err error) {
	c.Rule = r
	if !slices.Contains(Steps, r.On) {
		return c, fmt.Errorf("%q is no step: write one of connect, helo, starttls, auth, mail, rcpt, data, dot", r.On)
	}
	c.first, c.last, err = parseTries(r.Tries)
	c.delay, err = length("delay", r.Delay, maxDelay, err)
	c.trickle, err = length("trickle", r.Trickle, maxTrickle, err)
	c.greylist, err = length("greylist", r.Greylist, 24*time.Hour, err)
	if err == nil && r.Reply != "" {
		c.reply, err = parseReply(r.On, r.Reply)
	}
	if err == nil && r.Rate != "" {
		c.most, c.per, err = parseRate(r.Rate)
	}
	if err == nil {
		err = c.makesSense()
	}
	return c, err
}

func (c *compiled) makesSense() error {
	switch {
	case c.Certificate != "" && c.On != StartTLS:
		return errors.New("certificate belongs to the step starttls")
	case c.Certificate != "" && c.Certificate != Expired && c.Certificate != WrongName:
		return fmt.Errorf(`certificate is "expired" or "wrong-name", not %q`, c.Certificate)
	case c.Greylist != "" && c.On != Rcpt:
		return errors.New("greylist belongs to the step rcpt")
	case c.To != "" && c.On != Rcpt && c.On != Data && c.On != Dot:
		return fmt.Errorf("no recipient is known at the step %s: to means nothing there", c.On)
	case c.From != "" && (c.On == Connect || c.On == Helo || c.On == StartTLS || c.On == Auth):
		return fmt.Errorf("no sender is known at the step %s: from means nothing there", c.On)
	case c.Rule == Rule{On: c.On, To: c.To, From: c.From, Login: c.Login, Tries: c.Tries}:
		return errors.New("nothing happens: write reply, delay, drop, trickle, certificate, greylist or rate")
	}
	return nil
}

// length reads a duration above zero; "" is none. A fault before it stays.
func length(word, s string, most time.Duration, fault error) (time.Duration, error) {
	if s == "" || fault != nil {
		return 0, fault
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > most {
		return 0, fmt.Errorf("%s: %q is no time such as 500ms or 2s, of %v at most", word, s, most)
	}
	return d, nil
}

// parseTries reads "2", "2-3", "2-", or nothing.
func parseTries(s string) (first, last int, err error) {
	if s == "" {
		return 1, 0, nil
	}
	from, to, several := strings.Cut(s, "-")
	first, err = strconv.Atoi(from)
	switch {
	case several && to != "" && err == nil:
		last, err = strconv.Atoi(to)
	case !several:
		last = first
	}
	if err != nil || first < 1 || several && to != "" && last < first {
		return 0, 0, fmt.Errorf(`tries: %q is none of "2", "2-3" and "2-"`, s)
	}
	return first, last, nil
}

// goesOn are the codes with which a dialogue can go on at a step, as ours does. 334 asks the client
// for more, and an exchange that is over has no more.
var goesOn = map[Step][]smtp.Code{
	Connect: {smtp.CodeReady}, Helo: {smtp.CodeOK}, StartTLS: {smtp.CodeReady}, Auth: {smtp.CodeAuthenticated},
	Mail: {smtp.CodeOK}, Rcpt: {smtp.CodeOK, smtp.CodeWillForward}, Data: {smtp.CodeStartData}, Dot: {smtp.CodeOK},
}

// Verbs are those whose positive reply is the one of a step.
func (s Step) Verbs() []smtp.Verb {
	switch s {
	case Helo:
		return []smtp.Verb{smtp.VerbHELO, smtp.VerbEHLO, smtp.VerbLHLO}
	case Dot:
		return []smtp.Verb{smtp.Dot, smtp.VerbBDAT}
	}
	return []smtp.Verb{verbs[s]}
}

// parseReply reads "450 4.2.0 text": a reply that may come at the step.
func parseReply(on Step, s string) (*smtp.Reply, error) {
	word, text, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(word)
	code := smtp.Code(n)
	if err != nil || len(word) != 3 || !code.Valid() {
		return nil, fmt.Errorf(`reply: %q does not begin with a code, as "450 4.2.0 Later" does`, s)
	}
	if !verbs[on].Permits(code) || code.Positive() && !slices.Contains(goesOn[on], code) {
		return nil, fmt.Errorf("reply: %d may not come at the step %s (see posthouse codes)", n, on)
	}
	if len(text) > 400 || strings.ContainsAny(text, "\r\n\x00") {
		return nil, errors.New("reply: its text is one line of 400 octets at most")
	}
	r := &smtp.Reply{Code: code, Text: text}
	if first, rest, _ := strings.Cut(text, " "); first != "" {
		if e, ok := smtp.ParseEnhancedCode(first); ok {
			r.Enhanced, r.Text = e, rest
		}
	}
	return r, nil
}

// parseRate reads "10/1m".
func parseRate(s string) (most int, per time.Duration, err error) {
	times, each, ok := strings.Cut(s, "/")
	most, err = strconv.Atoi(times)
	if ok && err == nil {
		per, err = time.ParseDuration(each)
	}
	if !ok || err != nil || most < 1 || per <= 0 || per > 24*time.Hour {
		return 0, 0, fmt.Errorf("rate: %q is not of the form 10/1m", s)
	}
	return most, per, nil
}
