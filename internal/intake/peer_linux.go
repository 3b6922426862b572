package intake

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the system who has made a connection.
func peerOf(c net.Conn) (uid uint32, err error) {
	socket, is := c.(syscall.Conn)
	if !is {
		return 0, errNoPeer
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	asked := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(asked, err); err != nil {
		return 0, err
	}
	return peer.Uid, nil
}
