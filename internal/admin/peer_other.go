//go:build !linux

package admin

import (
	"io/fs"
	"net"
)

// identify knows no way to tell on this system: nobody is let in but by
// Options.Identify.
func identify(net.Conn) (Peer, error) { return Peer{}, errUnknown }

func groupOf(fs.FileInfo) int64 { return -1 }
