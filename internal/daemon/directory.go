package daemon

import (
	"context"
	"errors"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/directory/filedir"
)

func (b *builder) buildDirectory(ctx context.Context, r *rooms) error {
	o := directoryOf(b.cfg)
	o.Files = b.world.Files
	dir, err := filedir.Load(ctx, o)
	r.directory = dir
	var found filedir.Problems
	if !errors.As(err, &found) {
		return err
	}
	for _, p := range found {
		b.add(p.Origin, "%s", p.Message)
	}
	return nil
}

// directoryOf says who lives here.
func directoryOf(c *config.Config) filedir.Options {
	o := filedir.Options{Hostname: c.Hostname.Value, Postmaster: c.Postmaster.Value}
	for i := range c.Domains {
		o.Domains = append(o.Domains, domainOf(&c.Domains[i]))
	}
	return o
}

func domainOf(d *config.Domain) filedir.Domain {
	out := filedir.Domain{
		Name: d.Name, Origin: d.Origin, Also: d.Also.Value, CatchAll: d.CatchAll.Value,
		Mailboxes: d.Mailboxes.Value, MailboxFiles: files(d.MailboxFiles),
		AliasFiles: files(d.Aliases), Postmaster: d.Postmaster.Value,
		Tags: d.Tags.Value, KeepTags: d.KeepTags.Value, CaseSensitive: d.CaseSensitive.Value,
		Unix: filedir.Unix{
			AliasFiles: files(d.UnixAliases), Include: d.UnixInclude.Value,
			Pipes: d.UnixPipes.Value, Files: d.UnixFiles.Value,
		},
	}
	for _, f := range d.Forwards {
		out.Forwards = append(out.Forwards, filedir.Forward{
			Name: f.Name, Origin: f.Origin, To: f.To.Value,
			Tell: f.Answer.Value == 251, Refuse: f.Answer.Value == 551,
		})
	}
	return out
}

func files(s config.Setting[[]string]) []filedir.File {
	var all []filedir.File
	for _, name := range s.Value {
		all = append(all, filedir.File{Name: name, Origin: s.Origin})
	}
	return all
}
