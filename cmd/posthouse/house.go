package main

import (
	"context"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/cli/sendmail"
)

// house is the running daemon as mailq and newaliases ask it: by its control socket.
type house struct{}

func (house) Waiting(ctx context.Context, w cli.Where, each func(sendmail.Waiting) error) error {
	c := client.New(w.ControlSocket())
	defer c.Close()
	for after := ""; ; {
		page, err := c.List(ctx, "", after, 0)
		if err != nil {
			return err
		}
		for i := range page.Recipients {
			if err := each(waiting(&page.Recipients[i])); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func waiting(r *admin.Recipient) sendmail.Waiting {
	w := sendmail.Waiting{
		ID: r.ID.String(), Size: r.Size, Arrived: r.Arrived, From: r.From.String(), To: r.To.String(), State: sendmail.Deferred,
	}
	switch {
	case r.State == sendmail.Held:
		w.State = sendmail.Held
	case r.Active || r.State == "fresh":
		w.State = sendmail.Active
	}
	if r.Last != nil {
		w.Reason = r.Last.Reply
	}
	return w
}

func (house) Retry(ctx context.Context, w cli.Where, filter string) (recipients int, err error) {
	c := client.New(w.ControlSocket())
	defer c.Close()
	req := admin.OrderRequest{Verb: "retry", Filter: filter}
	for {
		done, err := c.Order(ctx, req)
		recipients += done.Changed
		if req.After = done.Next; err != nil || req.After == "" {
			return recipients, err
		}
	}
}

func (house) Reload(ctx context.Context, w cli.Where) error {
	c := client.New(w.ControlSocket())
	defer c.Close()
	done, err := c.Reload(ctx)
	if err != nil || done.OK {
		return err
	}
	for _, p := range done.Problems {
		return cli.Fail(cli.Config, "%s: %s (posthouse reload tells all)", p.Place, p.Message)
	}
	return cli.End(cli.Config)
}
