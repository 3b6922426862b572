package filedir

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/argv"
	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// link finds out whom the words of an entry mean.
func (b *builder) link(ctx context.Context, u *unlinked) {
	for _, w := range u.words {
		if b.full() {
			return
		}
		if t, ok := b.target(ctx, u, w); ok {
			u.entry.to = append(u.entry.to, t)
		}
	}
}

const includePrefix = ":include:"

func (b *builder) target(ctx context.Context, u *unlinked, w word) (target, bool) {
	switch {
	case strings.HasPrefix(w.plain, "|"), strings.HasPrefix(w.plain, "/"):
		return b.into(u, w)
	case strings.HasPrefix(w.plain, includePrefix):
		return b.include(ctx, u, w)
	case strings.HasPrefix(w.raw, `\`):
		return b.mailboxTarget(u, word{raw: w.raw[1:], plain: w.plain[1:], origin: w.origin})
	}
	p, name, err := address(w)
	switch {
	case err != nil:
		b.add(w.origin, "%s is no address: %v", quote(w.raw), err)
		return target{}, false
	case p.IsNull():
		return b.local(u, u.domain, name, w)
	}
	if d := b.dir.domains[mail.FoldDomain(p.Domain())]; d != nil {
		return b.local(u, d, p.Mailbox(), w)
	}
	return target{leaf: directory.Target{To: p}}, true
}

// address reads a target that is an address, or a name if the path is null. An
// address may be in quotes as a whole.
func address(w word) (p smtp.Path, name string, err error) {
	if !strings.Contains(w.plain, "@") {
		return smtp.Path{}, w.plain, nil
	}
	p, err = smtp.ParseMailbox(w.raw)
	if err != nil && strings.HasSuffix(w.raw, `"`) {
		p, err = smtp.ParseMailbox(w.plain)
	}
	return p, "", err
}

// into is a command or a file.
func (b *builder) into(u *unlinked, w word) (target, bool) {
	what, setting, allowed := "a file", "unix_files", u.domain.unix.Files
	if w.plain[0] == '|' {
		what, setting, allowed = "a command", "unix_pipes", u.domain.unix.Pipes
	}
	switch {
	case u.form != unixForm:
		b.add(w.origin, "%s is %s, which only files in the form of Unix may name", quote(w.plain), what)
	case !allowed:
		b.add(w.origin, "%s is %s, which is not allowed (%s = true allows it)", quote(w.plain), what, setting)
	case strings.Trim(w.plain, "|/ \t") == "" || strings.ContainsAny(w.plain, "\t"):
		b.add(w.origin, "%s names nothing", quote(w.plain))
	case w.plain[0] == '/' && filepath.Clean(w.plain) != strings.TrimSuffix(w.plain, "/"):
		b.add(w.origin, "%s is no plain path of a file", quote(w.plain))
	case !b.runs(w):
	default:
		return target{leaf: directory.Target{To: u.entry.address, Into: w.plain, Origin: w.origin}}, true
	}
	return target{}, false
}

// runs reports whether a word is a file, or a command that can be run without a
// shell.
func (b *builder) runs(w word) bool {
	line, command := strings.CutPrefix(w.plain, "|")
	if !command {
		return true
	}
	_, err := argv.Split(line)
	if err != nil {
		b.add(w.origin, "%s cannot be run: %v", quote(w.plain), err)
	}
	return err == nil
}

// include is a file of targets, read once for all that name it.
func (b *builder) include(ctx context.Context, u *unlinked, w word) (target, bool) {
	name := strings.TrimPrefix(w.plain, includePrefix)
	switch {
	case u.form != unixForm && !u.include:
		b.add(w.origin, "%s: only files in the form of Unix may include others", quote(w.plain))
		return target{}, false
	case !filepath.IsAbs(name):
		b.add(w.origin, "%s: an included file is named by its full path", quote(w.plain))
		return target{}, false
	}
	key := u.domain.name + "\x00" + filepath.Clean(name)
	if e := b.included[key]; e != nil {
		return target{entry: e}, true
	}
	before := len(b.found)
	all := b.src.readIn(ctx, w.origin, filepath.Clean(name), u.domain.unix.Include)
	if len(b.found) > before {
		return target{}, false
	}
	e := &entry{kind: directory.Alias, name: w.plain, address: u.entry.address, origin: w.origin}
	b.included[key] = e
	b.entries = append(b.entries, e)
	b.todo = append(b.todo, &unlinked{entry: e, domain: u.domain, words: all[0].targets, form: listForm, include: true})
	return target{entry: e}, true
}

// local is somebody of one of our domains.
func (b *builder) local(u *unlinked, d *domain, name string, w word) (target, bool) {
	e, tag := d.find(name)
	if e == u.entry {
		return b.mailboxTarget(u, word{raw: w.raw, plain: name, origin: w.origin})
	}
	switch {
	case e == nil && d.catchAll == nil:
		b.add(w.origin, "nobody is known by the name %s in %s", quote(name), d.name)
		return target{}, false
	case e == nil:
		e = d.catchAll
	case e.kind == directory.Moved:
		b.add(w.origin, "mail for %s is refused, for it has moved to %s (%s)", quote(name), e.moved, e.origin)
		return target{}, false
	}
	if e.kind == directory.Mailbox {
		return target{leaf: d.leaf(e, tag)}, true
	}
	return target{entry: e}, true
}

// mailboxTarget is a mailbox even if there is an alias of that name.
func (b *builder) mailboxTarget(u *unlinked, w word) (target, bool) {
	name := w.plain
	if i := strings.LastIndexByte(name, '@'); i >= 0 && u.domain == b.dir.domains[mail.FoldDomain(name[i+1:])] {
		name = name[:i]
	}
	m := u.domain.mailboxes[u.domain.key(name)]
	if m == nil {
		b.add(w.origin, "%s means the mailbox of that name here, and there is none", quote(w.raw))
		return target{}, false
	}
	return target{leaf: u.domain.leaf(m, "")}, true
}

// Bounds on what an alias leads to.
const (
	maxSteps   = 50     // from alias to alias
	maxMembers = 10_000 // who get the mail in the end; one who is named twice counts twice here
)

// visit finds aliases that lead back to themselves, on too far or to too many.
// The way is the aliases that led here.
func (b *builder) visit(e *entry, way []*entry) {
	switch {
	case e.state == visited || b.full():
		return
	case e.state == visiting:
		b.add(e.origin, "%s leads back to itself: %s", quote(e.name), chain(way[slices.Index(way, e):], e))
		return
	case len(way) == maxSteps:
		b.add(way[0].origin, "%s leads on more than %d times: %s", quote(way[0].name), maxSteps, chain(way, e))
		return
	}
	e.state = visiting
	way = append(way, e)
	for _, t := range e.to {
		if t.entry == nil {
			e.members = min(e.members+1, maxMembers+1)
			continue
		}
		b.visit(t.entry, way)
		e.members = min(e.members+t.entry.members, maxMembers+1)
		e.steps = max(e.steps, t.entry.steps+1)
	}
	e.state = visited
	switch {
	case e.members > maxMembers:
		b.add(e.origin, "%s stands for more than %d addresses", quote(e.name), maxMembers)
		e.members = 0 // told once
	case e.steps > maxSteps:
		b.add(e.origin, "%s leads on more than %d times", quote(e.name), maxSteps)
		e.steps = 0
	}
}

// chain prints the way from alias to alias.
func chain(way []*entry, last *entry) string {
	const most = 12
	var names []string
	for i, e := range way {
		if i == most {
			names = append(names, "...")
			break
		}
		names = append(names, quote(e.name))
	}
	return strings.Join(append(names, quote(last.name)), " -> ")
}
