package domain

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/internal/domainsetup"
)

// listing is the records as JSON.
type listing struct {
	Domain  string   `json:"domain"`
	Host    string   `json:"host"`
	Made    []string `json:"made,omitempty"` // files of keys
	Records []record `json:"records"`
}

type record struct {
	For   string `json:"for"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"` // of type TXT: the text, in one piece
	Zone  string `json:"zone"`  // the value as a zone file has it
	Note  string `json:"note"`
}

// print writes the records as it is asked for.
func (h *house) print(out io.Writer, made []dkimkeys.Key) error {
	records := h.setup.Records(time.Now())
	var err error
	switch {
	case h.json:
		l := listing{Domain: h.setup.Domain.String(), Host: h.setup.Host.String(), Made: h.files(made)}
		for _, r := range records {
			l.Records = append(l.Records, record{r.For, r.Name.String(), r.Type, r.Value, r.Presentation(), r.Note})
		}
		err = cli.PrintJSON(out, l)
	case h.table:
		return table(out, records)
	default:
		err = domainsetup.WriteZone(out, h.setup.Domain, records)
	}
	if err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}

func (h *house) files(keys []dkimkeys.Key) []string {
	var names []string
	for i := range keys {
		names = append(names, filepath.Join(h.dir, keys[i].Domain, keys[i].Selector+".pem"))
	}
	return names
}

// table writes the records for a person: a text is whole only where there is room.
func table(out io.Writer, records []domainsetup.Record) error {
	width := len("NAME")
	for _, r := range records {
		width = max(width, len(r.Name.String()))
	}
	p := cli.NewPage(out)
	row := func(kind, name, typ, value string) {
		p.Line(cli.Left(kind, 8), cli.Left(name, width), cli.Left(typ, 5), value)
	}
	row("FOR", "NAME", "TYPE", "VALUE")
	for _, r := range records {
		row(r.For, r.Name.String(), r.Type, r.Value)
	}
	return p.Print(out)
}

// advise tells what was done and what comes next.
func (h *house) advise(out io.Writer, made []dkimkeys.Key) {
	p := cli.NewPage(out)
	domain := h.setup.Domain.String()
	for _, f := range h.files(made) {
		p.Line("made", f)
	}
	if len(made) == 0 {
		p.Text("", domain+" has its keys already (posthouse dkim rotate "+domain+" changes them)")
	}
	p.Blank()
	p.Line("Next:")
	n := 0
	step := func(text string) {
		n++
		p.Text(fmt.Sprintf("  %d. ", n), text)
	}
	if h.domain() == nil {
		step(fmt.Sprintf(`Write domain %q { mailboxes = [...] } into %s, to take its mail.`, domain, h.file))
	}
	if len(h.setup.Addrs) == 0 {
		step("Name the public addresses of this host by --address, and print the records again (posthouse domain dns " + domain + ").")
	}
	if len(made) > 0 || h.domain() == nil {
		step("posthouse reload: the daemon signs with the keys that are there then.")
	}
	step("Put the records into the DNS.")
	step("posthouse domain check " + domain + " tells what is still missing.")
	_ = p.Print(out)
}
