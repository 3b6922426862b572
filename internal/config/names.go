package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// file is the name of a file or directory, relative to that of the configuration.
func file() kind[string] {
	return textual(func(d *decoder, s string) (string, error) { return d.path(s), nil }, itself)
}

func (d *decoder) path(s string) string {
	if filepath.IsAbs(s) {
		return filepath.Clean(s)
	}
	return filepath.Join(d.dir, s)
}

func domain() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		if _, err := smtp.ParseMailbox("x@" + s); err != nil || strings.HasPrefix(s, "[") {
			return "", fmt.Errorf("%q is no domain", clip(s))
		}
		return mail.FoldDomain(s), nil
	}, itself)
}

func localPart() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		p, err := localPath(s, "x.invalid")
		if err != nil {
			return "", err
		}
		return p.Mailbox(), nil
	}, itself)
}

// localPath makes the address of a name in a domain. The name is not quoted.
func localPath(name, domain string) (smtp.Path, error) {
	p, err := smtp.ParseMailbox(name + "@" + domain)
	if err == nil && p.Mailbox() == name {
		return p, nil
	}
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	q, bad := smtp.ParseMailbox(quoted + "@" + domain)
	if bad != nil {
		return smtp.Path{}, fmt.Errorf("%q cannot be in front of the @ of an address: %w", clip(name), cmp.Or(err, bad))
	}
	return q, nil
}

func mailbox() kind[smtp.Path] {
	return textual(func(_ *decoder, s string) (smtp.Path, error) {
		p, err := smtp.ParseMailbox(s)
		if err == nil && p.Domain() == "" {
			err = errors.New("address has no domain")
		}
		if err != nil {
			return smtp.Path{}, fmt.Errorf("%q is no address: %w", clip(s), err)
		}
		return p, nil
	}, smtp.Path.String)
}

func pattern() kind[Pattern] {
	return textual(func(_ *decoder, s string) (Pattern, error) { return readPattern(s) },
		func(p Pattern) string { return string(p) })
}

// network is "10.0.0.0/8", or one address.
func network() kind[netip.Prefix] {
	return textual(func(_ *decoder, s string) (netip.Prefix, error) {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			a = a.Unmap()
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf(`%q is no network such as "10.0.0.0/8" and no IP address`, clip(s))
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p != p.Masked() {
			return netip.Prefix{}, fmt.Errorf("%q has bits behind the network; the network is %s", clip(s), p.Masked())
		}
		return p, nil
	}, netip.Prefix.String)
}

// endpoint is "HOST:PORT" and, if unix is set, "unix:FILE".
func endpoint(check func(host string, port uint16) error, unix bool) kind[string] {
	return textual(func(d *decoder, s string) (string, error) {
		if name, ok := strings.CutPrefix(s, "unix:"); ok && unix {
			if name == "" {
				return "", errors.New(`there is no file behind "unix:"`)
			}
			return "unix:" + d.path(name), nil
		}
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return "", fmt.Errorf(`%q is no address with a port, such as "mx.example.org:25"`, clip(s))
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", fmt.Errorf("%q is no port (0 to 65535)", clip(port))
		}
		if err := check(host, uint16(n)); err != nil {
			return "", err
		}
		return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10)), nil
	}, itself)
}

// here is an address of this machine to listen on.
func here(host string, _ uint16) error {
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return fmt.Errorf("%q is no IP address to listen on (leave it out for all of this machine)", clip(host))
	}
	return nil
}

// there is an address of another machine.
func there(host string, port uint16) error {
	if _, err := netip.ParseAddr(host); err != nil {
		if _, err := smtp.ParseDomain(host); err != nil || strings.HasPrefix(host, "[") {
			return fmt.Errorf("%q is no name of a host and no IP address", clip(host))
		}
	}
	if port == 0 {
		return errors.New("nobody listens on port 0")
	}
	return nil
}

func server() kind[netip.AddrPort] {
	return textual(func(_ *decoder, s string) (netip.AddrPort, error) {
		if a, err := netip.ParseAddr(s); err == nil {
			return netip.AddrPortFrom(a, 53), nil
		}
		a, err := netip.ParseAddrPort(s)
		if err != nil || a.Port() == 0 {
			return netip.AddrPort{}, fmt.Errorf(`%q is no IP address, alone or with a port as in "192.0.2.1:53"`, clip(s))
		}
		return a, nil
	}, netip.AddrPort.String)
}
