package smtpserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// overLoopback starts a server on a socket and returns a way to connect.
func overLoopback(b *testing.B) (dial func() net.Conn) {
	b.Helper()
	l, err := smtpserver.Listen(b.Context(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &smtpserver.Server{Handler: &counter{}, Hostname: "sina.com"}
	s.Limits.PerAddress = -1
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() { _ = s.Close() })
	return func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		return conn
	}
}

// BenchmarkMessage sends messages on one connection, the commands of each in
// one flight.
func BenchmarkMessage(b *testing.B) {
	for _, size := range []int{4 << 10, 40 << 10, 10 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			conn := overLoopback(b)()
			defer conn.Close()
			r := bufio.NewReader(conn)
			_, _ = r.ReadString('\n')
			_, _ = io.WriteString(conn, "HELO sohu.com\r\n")
			_, _ = r.ReadString('\n')
			text := strings.Repeat(strings.Repeat("x", 76)+"\r\n", size/78)
			message := []byte("MAIL FROM:<bob@sohu.com>\r\nRCPT TO:<alice@sina.com>\r\nDATA\r\n" + text + ".\r\n")
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(message); err != nil {
					b.Fatal(err)
				}
				for _, code := range []string{"250", "250", "354", "250"} {
					line, err := r.ReadSlice('\n')
					if err != nil || string(line[:3]) != code {
						b.Fatalf("%q %v", line, err)
					}
				}
			}
		})
	}
}

// BenchmarkIdleSessions reports the memory of a session that waits for a
// command after EHLO: that of the Go heap and stacks, both ends' sockets apart.
func BenchmarkIdleSessions(b *testing.B) {
	const sessions = 1000
	dial := overLoopback(b)
	conns := make([]net.Conn, sessions)
	for b.Loop() {
		before := inUse()
		for i := range conns {
			conns[i] = dial()
			_, _ = io.WriteString(conns[i], "EHLO sohu.com\r\n")
			waitFor(b, conns[i], "250 ")
		}
		b.ReportMetric(float64(inUse()-before)/sessions, "B/session")
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// waitFor reads to the line that begins with prefix, without a buffer that
// would be measured too.
func waitFor(b *testing.B, conn net.Conn, prefix string) {
	var buf [1024]byte
	seen := ""
	for !strings.Contains(seen, "\r\n"+prefix) {
		n, err := conn.Read(buf[:])
		if err != nil {
			b.Fatal(err)
		}
		seen += string(buf[:n])
	}
}
