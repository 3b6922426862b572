package filedir

import (
	"context"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Directory is made by [Load] and does not change.
type Directory struct {
	domains    map[string]*domain // by each of their names
	order      []*domain
	postmaster *entry // of a host without domains
	host       string // whose postmaster is <postmaster>; "": that of no name
}

var _ directory.Directory = (*Directory)(nil)

// domain is what a domain knows.
type domain struct {
	name      string
	origin    mail.Origin
	aliases   map[string]*entry // and who has moved; they come before mailboxes
	mailboxes map[string]*entry
	catchAll  *entry
	tags      string
	keepTags  bool
	sensitive bool
	unix      Unix
}

// entry is somebody, or a name of others.
type entry struct {
	kind    directory.Kind
	name    string
	address smtp.Path
	origin  mail.Origin

	to    []target  // of all but mailboxes
	moved smtp.Path // of those who have
	tell  bool

	// For the check after loading.
	state          state
	members, steps int
}

type state uint8

const (
	unseen state = iota
	visiting
	visited
)

// target is another entry with targets of its own, or the end.
type target struct {
	entry *entry
	leaf  directory.Target
}

const (
	postmaster = "postmaster"
	mailer     = "mailer-daemon"
)

// key is the form of a name that is compared.
func (d *domain) key(name string) string {
	folded := mail.FoldLocal(name)
	if d.sensitive && folded != postmaster {
		return name
	}
	return folded
}

func (d *domain) named(name string) *entry {
	if e := d.aliases[d.key(name)]; e != nil {
		return e
	}
	return d.mailboxes[d.key(name)]
}

// find finds a name, or the name in front of a tag. The tag is returned with the
// character that begins it.
func (d *domain) find(name string) (e *entry, tag string) {
	if len(name) > smtp.MaxLocalPart {
		return nil, ""
	}
	if e := d.named(name); e != nil {
		return e, ""
	}
	for i := len(name) - 1; i > 0; i-- { // the longest name has it
		if strings.IndexByte(d.tags, name[i]) < 0 {
			continue
		}
		if e := d.named(name[:i]); e != nil {
			return e, name[i:]
		}
	}
	return nil, ""
}

// leaf is a mailbox as a target.
func (d *domain) leaf(e *entry, tag string) directory.Target {
	to := e.address
	if d.keepTags && tag != "" {
		if tagged, err := localPath(e.name+tag, d.name); err == nil {
			to = tagged
		}
	}
	return directory.Target{To: to, Local: true}
}

// Lookup implements [directory.Directory].
func (d *Directory) Lookup(_ context.Context, to smtp.Path) (directory.Resolution, error) {
	if d.isHost(to) {
		to = smtp.Postmaster
	}
	in := d.domains[mail.FoldDomain(to.Domain())]
	switch {
	case to.IsNull():
		return directory.Resolution{Kind: directory.NotOurs}, nil
	case to.Domain() == "" && d.postmaster != nil:
		return d.postmaster.resolve(), nil
	case to.Domain() == "" && len(d.order) > 0:
		in = d.order[0]
	case in == nil:
		return directory.Resolution{Kind: directory.NotOurs, Address: to}, nil
	}
	e, tag := in.find(to.Mailbox())
	switch {
	case e == nil && in.catchAll == nil:
		return directory.Resolution{Kind: directory.Unknown, Address: to, Origin: in.origin}, nil
	case e == nil:
		r := in.catchAll.resolve()
		r.Address = to
		return r, nil
	}
	return in.resolve(e, tag), nil
}

// isHost reports whether an address is that of the postmaster of this host (RFC 5321,
// 4.5.1), or the one that reports come from, to which people do answer.
func (d *Directory) isHost(to smtp.Path) bool {
	name := mail.FoldLocal(to.Mailbox())
	return d.host != "" && (name == postmaster || name == mailer) &&
		mail.FoldDomain(to.Domain()) == d.host
}

func (d *domain) resolve(e *entry, tag string) directory.Resolution {
	r := e.resolve()
	if e.kind == directory.Mailbox {
		r.To = []directory.Target{d.leaf(e, tag)}
	}
	return r
}

// resolve says what an entry is. Of a mailbox To is left to its domain.
func (e *entry) resolve() directory.Resolution {
	r := directory.Resolution{Kind: e.kind, Address: e.address, New: e.moved, Tell: e.tell, Origin: e.origin}
	if e.kind == directory.Alias || e.kind == directory.Forwarded {
		x := expansion{seen: map[*entry]bool{}, has: map[leafKey]bool{}}
		x.add(e)
		r.To = x.to
	}
	return r
}

// expansion collects those whom an entry stands for, each once. Loading has
// bounded how many they are and how far they are.
type expansion struct {
	to   []directory.Target
	seen map[*entry]bool
	has  map[leafKey]bool
}

// leafKey is the same for targets that are the same.
type leafKey struct{ local, domain, into string }

func (x *expansion) add(e *entry) {
	if x.seen[e] {
		return
	}
	x.seen[e] = true
	for _, t := range e.to {
		if t.entry != nil {
			x.add(t.entry)
			continue
		}
		key := leafKey{t.leaf.To.Mailbox(), mail.FoldDomain(t.leaf.To.Domain()), t.leaf.Into}
		if !x.has[key] {
			x.has[key] = true
			x.to = append(x.to, t.leaf)
		}
	}
}

// Find implements [directory.Directory].
func (d *Directory) Find(ctx context.Context, word string) ([]directory.Resolution, error) {
	if inner, ok := strings.CutPrefix(word, "<"); ok {
		word = strings.TrimSuffix(inner, ">")
	}
	if p, err := smtp.ParseMailbox(word); err == nil && p.Domain() != "" {
		return d.findAddress(p), nil
	}
	var found []directory.Resolution
	for _, in := range d.order {
		if e, tag := in.find(unquote(word)); e != nil {
			found = append(found, in.resolve(e, tag))
		}
	}
	return found, nil
}

func (d *Directory) findAddress(p smtp.Path) []directory.Resolution {
	in := d.domains[mail.FoldDomain(p.Domain())]
	if in == nil {
		return nil
	}
	e, tag := in.find(p.Mailbox())
	if e == nil {
		return nil
	}
	return []directory.Resolution{in.resolve(e, tag)}
}
