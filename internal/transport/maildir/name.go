package maildir

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// namer makes the unique names of messages.
type namer struct {
	host  string
	pid   int
	count atomic.Uint64
}

func newNamer() *namer {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return &namer{host: escapeHost(host), pid: os.Getpid()}
}

// next returns a name that no other delivery uses: seconds, then microseconds
// (M), process (P), deliveries of this process (Q) and random octets (R), then
// the host. The random octets tell containers apart that share host and pid.
func (n *namer) next(now time.Time) string {
	var random [8]byte
	rand.Read(random[:]) // never returns an error
	return fmt.Sprintf("%d.M%dP%dQ%dR%s.%s", now.Unix(), now.Nanosecond()/1000,
		n.pid, n.count.Add(1), hex.EncodeToString(random[:]), n.host)
}

// escapeHost replaces what may not stand in a name, as the convention says.
func escapeHost(host string) string {
	return strings.NewReplacer("/", `\057`, ":", `\072`).Replace(host)
}
