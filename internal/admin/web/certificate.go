package web

import (
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
)

// How long before its end a certificate is warned of: somebody has to put a file into its
// place, while an authority is asked again and again by itself.
const (
	soonFile      = 14 * 24 * time.Hour
	soonAuthority = 2 * 24 * time.Hour
)

// certificate is one that clients are shown, at an instant.
type certificate struct {
	admin.Certificate
	left time.Duration
}

// Certificates are those of the house, the one that ends first before the others.
func (d *overviewData) Certificates() []certificate {
	all := make([]certificate, len(d.Status.Certificates))
	for i, c := range d.Status.Certificates {
		all[i] = certificate{c, c.Until.Sub(d.Now)}
	}
	slices.SortStableFunc(all, func(a, b certificate) int { return a.Until.Compare(b.Until) })
	return all
}

// Alarms are those of them that somebody has to look after.
func (d *overviewData) Alarms() []certificate {
	return slices.DeleteFunc(d.Certificates(), func(c certificate) bool { return c.Mood() == "ok" || c.Mood() == "info" })
}

// State is the key of how it is.
func (c *certificate) State() string {
	soon := soonFile
	if strings.Contains(c.From, "://") {
		soon = soonAuthority
	}
	switch {
	case c.Until.IsZero():
		return "certificate.none"
	case c.left <= 0:
		return "certificate.over"
	case c.From == "":
		return "certificate.made"
	case c.left <= soon:
		return "certificate.soon"
	}
	return "certificate.good"
}

// Mood is the colour of its state.
func (c *certificate) Mood() string {
	switch state := c.State(); {
	case state == "certificate.over":
		return "bad"
	case state == "certificate.soon", state == "certificate.none", c.Trouble != "":
		return "warn"
	case state == "certificate.made":
		return "info"
	}
	return "ok"
}

// maxNames is how many names of a certificate a page shows beside the first.
const maxNames = 8

// Shown are the other names that it bears, as far as a page shows them, and Hidden is how
// many there are behind those.
func (c *certificate) Shown() []string { return c.Others[:min(len(c.Others), maxNames)] }

// Hidden is how many names are not shown.
func (c *certificate) Hidden() int { return len(c.Others) - len(c.Shown()) }
