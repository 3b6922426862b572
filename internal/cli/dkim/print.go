package dkim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/internal/domainsetup"
	"github.com/posthouse/posthouse/senderauth"
)

// seen reports whether the DNS has the record of an entry: of a key that is to sign, the very
// key; of one that is over, any. Where nobody answers, the safe side is that nothing changes.
func (t *turn) seen(ctx context.Context, keys []dkimkeys.Key, e *dkimkeys.Entry) bool {
	public, err := senderauth.LookupKey(ctx, t.asks, e.Selector, t.domain)
	if e.Stage(t.now) == dkimkeys.Over {
		return !errors.Is(err, senderauth.ErrNoKey)
	}
	if err != nil {
		return false
	}
	record, err := senderauth.FormatKey(public.Public)
	for i := range keys {
		if keys[i].Selector == e.Selector {
			return err == nil && record == keys[i].Record()
		}
	}
	return false
}

// row is a key as JSON.
type row struct {
	Domain    string     `json:"domain"`
	Selector  string     `json:"selector"`
	Algorithm string     `json:"algorithm"`
	Stage     string     `json:"stage"`
	From      *time.Time `json:"signs_from,omitempty"`
	Until     *time.Time `json:"signs_until,omitempty"`
	Drop      *time.Time `json:"record_until,omitempty"`
	Name      string     `json:"name"`
	Record    string     `json:"record"`
}

func rows(keys []dkimkeys.Key, now time.Time) []row {
	all := []row{}
	for i := range keys {
		k := &keys[i]
		all = append(all, row{
			k.Domain, k.Selector, string(k.Algorithm()), string(k.Stage(now)),
			instant(k.From), instant(k.Until), instant(k.Drop), k.Name(), k.Record(),
		})
	}
	return all
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// printList prints keys.
func (o *options) printList(out io.Writer, keys []dkimkeys.Key, now time.Time) error {
	if o.json {
		return printed(cli.PrintJSON(out, map[string]any{"keys": rows(keys, now)}))
	}
	p := cli.NewPage(out)
	if len(keys) == 0 {
		p.Line("No domain has keys (posthouse domain add DOMAIN makes them).")
		return p.Print(out)
	}
	wide, selector := len("DOMAIN"), len("SELECTOR")
	for i := range keys {
		wide, selector = max(wide, len(keys[i].Domain)), max(selector, len(keys[i].Selector))
	}
	line := func(domain, sel, alg, stage, since string) {
		p.Line(cli.Left(domain, wide)+"  "+cli.Left(sel, selector)+"  "+cli.Left(alg, 14)+"  "+cli.Left(stage, 8), since)
	}
	line("DOMAIN", "SELECTOR", "ALGORITHM", "STAGE", "")
	for i := range keys {
		k := &keys[i]
		line(k.Domain, k.Selector, string(k.Algorithm()), string(k.Stage(now)), when(k, now))
	}
	return p.Print(out)
}

// when says since when a key is what it is, and what becomes of it.
func when(k *dkimkeys.Key, now time.Time) string {
	const form = "2006-01-02 15:04 UTC"
	switch k.Stage(now) {
	case dkimkeys.Waiting:
		if !k.From.IsZero() {
			return "signs from " + k.From.UTC().Format(form)
		}
		return "signs when the DNS has it"
	case dkimkeys.Signing:
		if !k.Until.IsZero() {
			return "until " + k.Until.UTC().Format(form)
		}
		return "since " + k.From.UTC().Format(form)
	case dkimkeys.Kept:
		return "its record stays until " + k.Drop.UTC().Format(form)
	}
	return "its record may leave the DNS"
}

// printStep tells what was done, and what is next.
func (o *options) printStep(out io.Writer, d *did) error {
	step, next := d.words()
	if o.json {
		return printed(cli.PrintJSON(out, map[string]any{
			"domain": d.domain, "step": d.name(), "says": step, "next": next, "keys": rows(d.keys, d.now),
		}))
	}
	p := cli.NewPage(out)
	p.Text("", step)
	p.Text("", next)
	if err := p.Print(out); err != nil {
		return err
	}
	return printed(d.records(out))
}

func printed(err error) error {
	if err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}

func (d *did) name() string {
	if d.idle {
		return "none"
	}
	return string(d.step)
}

// words are what was done, and what is next.
func (d *did) words() (step, next string) {
	again := "posthouse dkim rotate " + d.domain + " --continue"
	switch d.step {
	case dkimkeys.Begin:
		if d.idle {
			return "No rotation is under way for " + d.domain + ".", ""
		}
		return "New keys were made for " + d.domain + "; the old ones go on signing.",
			"Put these records into the DNS; then " + again + " (and, if a time was given by --after, posthouse reload)."
	case dkimkeys.Publish:
		return "The DNS does not have the new keys of " + d.domain + " yet.", "Put these records into the DNS; then " + again + "."
	case dkimkeys.Switch:
		return "The DNS has the new keys of " + d.domain + ": they sign from now on, and the old ones no more.",
			"posthouse reload tells the daemon. The records of the old keys stay until " + d.until() + "; then " + again + "."
	case dkimkeys.Wait:
		return "The new keys of " + d.domain + " sign. The records of the old ones stay for mail that is on its way.",
			"After " + d.until() + ": " + again + "."
	case dkimkeys.Drop:
		return "The records of the old keys of " + d.domain + " are not needed any more.",
			"Take these out of the DNS; then " + again + " removes the keys."
	}
	return "The records of the old keys of " + d.domain + " are gone, and so are now the keys.", "The rotation is done."
}

// until is when the last record may go.
func (d *did) until() string {
	var last time.Time
	for i := range d.keys {
		if d.keys[i].Drop.After(last) {
			last = d.keys[i].Drop
		}
	}
	return last.UTC().Format("2006-01-02 15:04 UTC")
}

// records prints the records that are to be put into the DNS, or taken out of it.
func (d *did) records(out io.Writer) error {
	about := map[dkimkeys.Step]dkimkeys.Stage{
		dkimkeys.Begin: dkimkeys.Waiting, dkimkeys.Publish: dkimkeys.Waiting, dkimkeys.Drop: dkimkeys.Over,
	}[d.step]
	if about == "" || d.idle {
		return nil
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	for i := range d.keys {
		k := &d.keys[i]
		if k.Stage(d.now) != about {
			continue
		}
		r := domainsetup.Record{Type: "TXT", Value: k.Record()}
		if _, err := fmt.Fprintf(out, "%s. 3600 IN TXT %s\n", k.Name(), r.Presentation()); err != nil {
			return err
		}
	}
	return nil
}
