package filedir

import (
	"context"
	"errors"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/smtp"
)

// Load makes a directory. The error is of type [Problems], or that of the
// context.
func Load(ctx context.Context, o Options) (*Directory, error) {
	ps := &problems{}
	if o.Files == nil {
		o.Files = plainfile.Disk{}
	}
	b := &builder{
		problems: ps,
		src:      sources{problems: ps, open: o.Files},
		dir:      &Directory{domains: map[string]*domain{}},
		included: map[string]*entry{},
	}
	for i := range o.Domains {
		b.domain(ctx, &o.Domains[i])
	}
	b.postmasters(&o)
	if !b.src.failed { // or many would be missed who are in the file that is
		b.linkAll(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(ps.found) > 0 {
		return nil, ps.sorted()
	}
	return b.dir, nil
}

// builder makes a Directory: first all names, then what they stand for.
type builder struct {
	*problems
	src      sources
	dir      *Directory
	included map[string]*entry // files, by the directories they may be in and their names
	todo     []*unlinked       // entries whose targets are still words
	entries  []*entry          // that have targets
}

// unlinked is an entry whose targets are still words.
type unlinked struct {
	entry   *entry
	domain  *domain
	words   []word
	form    form
	include bool // they are of an included file
}

func (b *builder) domain(ctx context.Context, o *Domain) {
	d := &domain{
		name: mail.FoldDomain(o.Name), tags: o.Tags, keepTags: o.KeepTags, sensitive: o.CaseSensitive, unix: o.Unix, origin: o.Origin,
		aliases: map[string]*entry{}, mailboxes: map[string]*entry{},
	}
	b.dir.order = append(b.dir.order, d)
	for _, name := range append([]string{o.Name}, o.Also...) {
		if b.dir.domains[mail.FoldDomain(name)] != nil {
			b.add(o.Origin, "the domain %s is there twice", quote(name))
		}
		b.dir.domains[mail.FoldDomain(name)] = d
	}
	b.mailboxes(ctx, d, o)
	for i := range o.Forwards {
		b.forward(d, &o.Forwards[i])
	}
	for _, file := range o.AliasFiles {
		b.aliases(d, b.src.read(ctx, file, domainForm), domainForm)
	}
	for _, file := range o.Unix.AliasFiles {
		b.aliases(d, b.src.read(ctx, file, unixForm), unixForm)
	}
	if !o.CatchAll.IsNull() {
		d.catchAll = b.alias(d, "whom nobody knows", smtp.Path{}, o.Origin, pathWord(o.CatchAll, o.Origin))
	}
	if !o.Postmaster.IsNull() {
		b.named(d, postmaster, o.Postmaster, o.Origin)
	}
}

func (b *builder) mailboxes(ctx context.Context, d *domain, o *Domain) {
	for _, name := range o.Mailboxes {
		b.mailbox(d, name, o.Origin)
	}
	for _, file := range o.MailboxFiles {
		for _, a := range b.src.read(ctx, file, namesForm) {
			name, err := b.nameOf(d, a.name, domainForm)
			if err != nil {
				b.add(a.name.origin, "%s cannot be a mailbox: %v", quote(a.name.raw), err)
				continue
			}
			b.mailbox(d, name, a.name.origin)
		}
	}
}

func (b *builder) mailbox(d *domain, name string, at mail.Origin) {
	path, err := localPath(name, d.name)
	if err != nil {
		b.add(at, "%s cannot be a mailbox: %v", quote(name), err)
		return
	}
	if before := d.mailboxes[d.key(name)]; before != nil {
		b.add(at, "the mailbox %s is there twice, first at %s", quote(name), before.origin)
		return
	}
	d.mailboxes[d.key(name)] = &entry{kind: directory.Mailbox, name: name, address: path, origin: at}
}

func (b *builder) forward(d *domain, f *Forward) {
	path, err := localPath(f.Name, d.name)
	if err != nil {
		b.add(f.Origin, "%s cannot be a name: %v", quote(f.Name), err)
		return
	}
	e := b.alias(d, f.Name, path, f.Origin, pathWord(f.To, f.Origin))
	e.kind, e.moved, e.tell = directory.Forwarded, f.To, f.Tell
	if f.Refuse {
		e.kind = directory.Moved
	}
	if m := d.mailboxes[d.key(f.Name)]; m != nil {
		b.add(f.Origin, "%s is forwarded and has a mailbox, at %s", quote(f.Name), m.origin)
	}
	b.enter(d, e)
}

// aliases takes over the names of a file.
func (b *builder) aliases(d *domain, all []alias, f form) {
	for _, a := range all {
		name, err := b.nameOf(d, a.name, f)
		var path smtp.Path
		if err == nil {
			path, err = localPath(name, d.name)
		}
		if err != nil {
			b.add(a.name.origin, "%s cannot be an alias: %v", quote(a.name.plain), err)
			continue
		}
		e := &entry{kind: directory.Alias, name: name, address: path, origin: a.name.origin}
		b.todo = append(b.todo, &unlinked{entry: e, domain: d, words: a.targets, form: f})
		b.entries = append(b.entries, e)
		b.enter(d, e)
	}
}

// nameOf returns the local part of a name, which in the form of a domain may
// have the domain behind it.
func (b *builder) nameOf(d *domain, w word, f form) (string, error) {
	at := strings.LastIndexByte(w.raw, '@')
	if at < 0 || strings.HasSuffix(w.raw, `"`) {
		return w.plain, nil
	}
	p, err := smtp.ParseMailbox(w.raw)
	switch {
	case at == 0:
		return "", errors.New("for whom nobody knows there is catch_all in the configuration")
	case err != nil:
		return "", err
	case f != domainForm || b.dir.domains[mail.FoldDomain(p.Domain())] != d:
		return "", errors.New("it has another domain than the file")
	}
	return p.Mailbox(), nil
}

func (b *builder) enter(d *domain, e *entry) {
	key := d.key(e.name)
	if before := d.aliases[key]; before != nil {
		b.add(e.origin, "%s is there twice, first at %s", quote(e.name), before.origin)
		return
	}
	d.aliases[key] = e
}

// alias makes an entry with one target.
func (b *builder) alias(d *domain, name string, address smtp.Path, at mail.Origin, to word) *entry {
	e := &entry{kind: directory.Alias, name: name, address: address, origin: at}
	b.todo = append(b.todo, &unlinked{entry: e, domain: d, words: []word{to}})
	b.entries = append(b.entries, e)
	return e
}

// named makes an alias, unless there is somebody of that name.
func (b *builder) named(d *domain, name string, to smtp.Path, at mail.Origin) {
	if d.aliases[name] != nil {
		return
	}
	address, _ := localPath(name, d.name)
	if to.Equal(address) {
		if d.mailboxes[name] == nil {
			b.mailbox(d, name, at)
		}
		return
	}
	d.aliases[name] = b.alias(d, name, address, at, pathWord(to, at))
}

// postmasters sees to it that each domain has one (RFC 5321, 4.5.1).
func (b *builder) postmasters(o *Options) {
	for _, d := range b.dir.order {
		switch {
		case d.aliases[postmaster] != nil || d.mailboxes[postmaster] != nil:
		case o.Postmaster.IsNull():
			b.mailbox(d, postmaster, mail.Origin{})
		default:
			b.named(d, postmaster, o.Postmaster, d.origin)
		}
	}
	host := mail.FoldDomain(o.Hostname)
	if b.dir.domains[host] == nil && (len(b.dir.order) > 0 || !o.Postmaster.IsNull()) {
		b.dir.host = host
	}
	if len(b.dir.order) > 0 {
		return
	}
	to := o.Postmaster
	if to.IsNull() {
		to, _ = localPath(postmaster, mail.FoldDomain(o.Hostname))
	}
	if !to.IsNull() {
		b.dir.postmaster = &entry{kind: directory.Alias, name: postmaster, address: smtp.Postmaster, to: []target{{leaf: directory.Target{To: to}}}}
	}
}

// pathWord is an address of the configuration as a word.
func pathWord(p smtp.Path, at mail.Origin) word {
	return word{raw: p.String(), plain: p.String(), origin: at}
}

// linkAll finds out whom all entries mean, and looks at what they lead to.
func (b *builder) linkAll(ctx context.Context) {
	for ; len(b.todo) > 0; b.todo = b.todo[1:] { // it grows by included files
		b.link(ctx, b.todo[0])
	}
	for _, e := range b.entries {
		if b.full() {
			return
		}
		b.visit(e, nil)
	}
}
