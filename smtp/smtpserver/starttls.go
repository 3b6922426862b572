package smtpserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// startTLS goes over to TLS and forgets all that was said before (RFC 3207,
// 4.2). Octets that came together with the command may be an attacker's, put in
// front of a session that TLS was to protect: they end the connection.
func (c *Conn) startTLS() {
	if c.reader.Buffered() > 0 {
		c.bye(smtp.EnhancedCode{4, 7, 0}, "Something came along with STARTTLS, before TLS stood")
		return
	}
	if !c.consentsToTLS() {
		return
	}
	c.reply(smtp.VerbSTARTTLS, smtp.Replyf(smtp.CodeReady, smtp.EnhancedCode{2, 0, 0}, "ready to start TLS"))
	if err := c.flush(); err != nil {
		c.lost(err)
		return
	}
	if !c.handshake() {
		return
	}
	c.dialogue.Done(smtp.StartTLS{})
	c.hello, c.proxied, c.peer = "", nil, addrPort(c.tls.NetConn().RemoteAddr())
	c.offer()
}

// handshake puts TLS under the dialogue. It returns false if that failed, and then
// the connection is at its end.
func (c *Conn) handshake() bool {
	t := tls.Server(c.nc, c.server.tls)
	by := time.Now().Add(week)
	if l := c.server.limits.Handshake; l != none {
		by = time.Now().Add(l)
	}
	err := c.nc.SetDeadline(by)
	if err == nil {
		err = t.HandshakeContext(c.ctx)
	}
	if err != nil {
		c.log(slog.LevelInfo, "TLS failed", "error", err)
		c.over(fmt.Errorf("TLS: %w", err))
		c.closing = true
		return false
	}
	c.mu.Lock()
	c.nc, c.tls = t, t
	c.readBy, c.writeBy = time.Time{}, time.Time{}
	c.mu.Unlock()
	c.reader.Reset((*incoming)(&c.link))
	c.traceTLS()
	return true
}
