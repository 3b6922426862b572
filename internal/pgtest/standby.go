package pgtest

import (
	"fmt"
)

// Standby copies the server, which listens on TCP, and starts the copy, which follows it.
func (s *Server) Standby(t TB) *Server {
	t.Helper()
	o := s.o
	o.TCP = true
	c := place(t, o, s.bin)
	to := fmt.Sprintf("host=127.0.0.1 port=%d user=posthouse password='%s' application_name=standby%d", s.Port, s.o.Password, c.Port)
	c.Run(t, "pg_basebackup", "-D", c.Data(), "-R", "-X", "stream", "-c", "fast", "-d", to)
	c.Start(t)
	return c
}

// Promote makes a primary of a standby.
func (s *Server) Promote(t TB) {
	t.Helper()
	s.Run(t, "pg_ctl", "promote", "-D", s.Data(), "-w")
}

// InStep waits until the server has a synchronous standby.
func (s *Server) InStep(t TB) { t.Helper(); s.follows(t, true) }

// Alone waits until the server has none.
func (s *Server) Alone(t TB) { t.Helper(); s.follows(t, false) }

func (s *Server) follows(t TB, one bool) {
	t.Helper()
	what := "a standby follows"
	if !one {
		what = "no standby follows"
	}
	Wait(t, what, func() bool {
		return s.Count(t, "postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'") > 0 == one
	})
}
