package smtpserver

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// xclientNames are the attributes that are understood.
var xclientNames = []string{"NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"}

// xclient takes a trusted proxy's word for who its client is, and starts the
// session over, from the greeting on.
func (c *Conn) xclient(cmd smtp.XClient) {
	peer := c.peer
	for _, a := range cmd.Attrs {
		if !slices.Contains(xclientNames, a.Name) {
			c.refuse(smtp.VerbXCLIENT, smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 4}, "Attribute %s is not known", a.Name))
			return
		}
		var ok bool
		if peer, ok = withAttr(peer, a); !ok {
			c.refuse(smtp.VerbXCLIENT, smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 4}, "Attribute %s has a bad value", a.Name))
			return
		}
	}
	before, attrs := c.peer, c.proxied
	c.peer, c.proxied = peer, cmd.Attrs
	if s, ok := c.session.(XClientHandler); ok {
		if err := s.XClient(c.ctx, cmd.Attrs); err != nil {
			c.peer, c.proxied = before, attrs
			c.refuse(smtp.VerbXCLIENT, c.asReply(err))
			return
		}
	}
	c.dialogue.Done(cmd)
	c.hello = ""
	c.offer()
	c.reply(smtp.VerbXCLIENT, &smtp.Reply{Code: smtp.CodeReady, Text: c.protocols() + " ready"})
}

// withAttr returns the peer as it is with the attribute.
func withAttr(peer netip.AddrPort, a smtp.XClientAttr) (netip.AddrPort, bool) {
	if strings.HasPrefix(a.Value, "[") { // [UNAVAILABLE], [TEMPUNAVAIL]
		return peer, true
	}
	switch a.Name {
	case "ADDR":
		value := a.Value
		if len(value) > 5 && strings.EqualFold(value[:5], "IPV6:") {
			value = value[5:]
		}
		addr, err := netip.ParseAddr(value)
		return netip.AddrPortFrom(addr.Unmap(), peer.Port()), err == nil && addr.Zone() == ""
	case "PORT":
		port, err := strconv.ParseUint(a.Value, 10, 16)
		return netip.AddrPortFrom(peer.Addr(), uint16(port)), err == nil
	}
	return peer, true
}
