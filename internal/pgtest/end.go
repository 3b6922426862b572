package pgtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Stop ends the server as its administrator would in a hurry: the next start recovers.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.done
}

// Kill ends the server with all of its processes at once, as a machine that is gone. It
// returns when they are.
func (s *Server) Kill(t TB) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGSTOP) // so that it begins none meanwhile
	all := s.children()
	_ = s.cmd.Process.Kill()
	for _, c := range all {
		_ = syscall.Kill(c.pid, syscall.SIGKILL)
	}
	<-s.done
	for _, c := range all {
		Wait(t, "a process of PostgreSQL has ended", func() bool { return !lives(c.pid) })
	}
}

// Freeze has the server and all of its processes stand still until Thaw: one that is slow beyond measure.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw has the server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// signal signals the server and its processes, itself first.
func (s *Server) signal(what syscall.Signal) {
	if s.cmd.Process.Signal(what) != nil {
		return // it has ended, and its number may be another's
	}
	for _, c := range s.children() {
		_ = syscall.Kill(c.pid, what)
	}
}

// CPU is the time that the server with all of its processes has used so far.
func (s *Server) CPU() (total time.Duration) {
	for _, c := range s.children() {
		total += c.used + c.reaped
	}
	if own, there := processOf(strconv.Itoa(s.cmd.Process.Pid)); there {
		total += own.used + own.reaped
	}
	return total
}

// process is one line of the table of processes.
type process struct {
	pid, parent  int
	state        string        // "Z": it has ended
	used, reaped time.Duration // its own, and of those that it had and that have ended
}

// children are the processes of the server: PostgreSQL has each connection in one.
func (s *Server) children() (found []process) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range all {
		if p, there := processOf(filepath.Base(name)); there && p.parent == s.cmd.Process.Pid {
			found = append(found, p)
		}
	}
	return found
}

func lives(pid int) bool {
	p, there := processOf(strconv.Itoa(pid))
	return there && p.state != "Z"
}

// processOf reads /proc/PID/stat; see proc(5).
func processOf(pid string) (p process, there bool) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	end := bytes.LastIndexByte(text, ')') // behind the program's name
	if err != nil || end < 0 {
		return p, false
	}
	f := strings.Fields(string(text[end+1:]))
	if len(f) < 15 {
		return p, false
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	const tick = 10 * time.Millisecond // which Linux shows, whatever its own is
	p.pid, p.state, p.parent = number(pid), f[0], number(f[1])
	p.used = time.Duration(number(f[11])+number(f[12])) * tick
	p.reaped = time.Duration(number(f[13])+number(f[14])) * tick
	return p, true
}
