package verify

import (
	"context"
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/sender"
	"github.com/posthouse/posthouse/senderauth"
)

// found is what a message was judged to be.
type found struct {
	Author  string `json:"author"` // From, as it is written
	Subject string `json:"subject"`
	Client  string `json:"client,omitempty"` // "": nobody knows who brought it
	Helo    string `json:"helo,omitempty"`
	Sender  string `json:"sender"` // of the envelope; "": none
	Steps   []step `json:"steps"`

	Action string `json:"action"` // "pass", "mark", "quarantine", "defer" or "reject"
	Reason string `json:"reason,omitempty"`
	Reply  string `json:"reply,omitempty"` // what the client would hear
}

// step is what one method found.
type step struct {
	Method  string     `json:"method"`
	Results []result   `json:"results"`
	Asked   []question `json:"asked"`
}

type result struct {
	Verdict string `json:"verdict"`
	About   string `json:"about,omitempty"` // "header.d=example.org header.s=one"
	Means   string `json:"means"`
	Reason  string `json:"reason,omitempty"`
	RFC     string `json:"rfc"`
}

// run judges a message, by the code of the house.
func (j *judge) run(ctx context.Context, text *policy.Text) *found {
	f := &found{
		Author: text.Header.Get("From").Text(), Subject: text.Header.Get("Subject").Text(),
		Helo: j.visit.Source.Hello, Sender: j.visit.From.String(), Steps: []step{},
	}
	if j.spf {
		f.Client = j.visit.Source.Client.Addr().String()
		j.client(ctx, f)
	}
	s := sender.New(sender.Options{
		Resolver: j.dns, Hostname: "posthouse", SPF: j.spf, DKIM: true, ARC: true, DMARC: policy.Reject, DNSFailure: policy.Defer,
		Trusted: func(domain string) bool { return j.sealers[domain] },
	}).Open(&j.visit)
	defer s.Close()
	said := s.Mail(ctx, &j.visit)
	if j.spf {
		f.add("spf", said.Results, j.dns.take())
	}
	o := s.Data(ctx, &j.visit, text)
	asked := j.dns.take()
	for _, method := range []string{"dkim", "arc", "dmarc"} {
		f.add(method, of(method, o.Results), about(method, asked))
	}
	f.Action, f.Reason = o.Action.String(), o.Reason
	if o.Reply != nil {
		f.Reply = o.Reply.Error()
	}
	return f
}

// client looks at the name of the client.
func (j *judge) client(ctx context.Context, f *found) {
	s := sender.New(sender.Options{Resolver: j.dns, Hostname: "posthouse", IPRev: true}).Open(&j.visit)
	defer s.Close()
	f.add("iprev", s.Mail(ctx, &j.visit).Results, j.dns.take())
}

func of(method string, all []senderauth.MethodResult) (some []senderauth.MethodResult) {
	for _, r := range all {
		if r.Method == method {
			some = append(some, r)
		}
	}
	return some
}

// about divides what was asked about the message: keys of signatures and seals look alike, and
// stand with the signatures.
func about(method string, asked []question) (some []question) {
	for _, q := range asked {
		is := "dmarc"
		if strings.Contains(q.Question, "._domainkey.") {
			is = "dkim"
		}
		if is == method {
			some = append(some, q)
		}
	}
	return some
}

func (f *found) add(method string, results []senderauth.MethodResult, asked []question) {
	s := step{Method: method, Results: []result{}, Asked: asked}
	for i := range results {
		r := &results[i]
		m := meaning(method, r.Verdict)
		s.Results = append(s.Results, result{string(r.Verdict), properties(r), m.means, r.Reason, m.rfc})
	}
	if len(results) == 0 {
		m := meaning(method, senderauth.None)
		s.Results = append(s.Results, result{Verdict: string(senderauth.None), Means: m.means, RFC: m.rfc})
	}
	if s.Asked == nil {
		s.Asked = []question{}
	}
	f.Steps = append(f.Steps, s)
}

func properties(r *senderauth.MethodResult) string {
	var words []string
	for _, p := range r.Properties {
		words = append(words, p.Type+"."+p.Name+"="+p.Value)
	}
	return strings.Join(words, " ")
}

// status is how the command ends.
func (f *found) status() cli.Status {
	switch f.Action {
	case policy.Defer.String():
		return cli.TempFail
	case policy.Reject.String(), policy.Quarantine.String():
		return cli.DataErr
	}
	return cli.OK
}
