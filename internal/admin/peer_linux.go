package admin

import (
	"io/fs"
	"net"
	"syscall"
)

// identify asks the system with SO_PEERCRED.
func identify(c net.Conn) (Peer, error) {
	u, is := c.(*net.UnixConn)
	if !is {
		return Peer{}, errUnknown
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *syscall.Ucred
	var inner error
	err = raw.Control(func(fd uintptr) {
		cred, inner = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	switch {
	case err != nil:
		return Peer{}, err
	case inner != nil:
		return Peer{}, inner
	}
	return Peer{cred.Uid, cred.Gid, cred.Pid}, nil
}

// groupOf is the group of a file.
func groupOf(info fs.FileInfo) int64 {
	if st, is := info.Sys().(*syscall.Stat_t); is {
		return int64(st.Gid)
	}
	return -1
}
