//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/posthouse/posthouse/bench/internal/warden"
	"github.com/posthouse/posthouse/bench/internal/yardstick"
)

// ceiling is the package yardstick: how fast a durable server in Go could be here.
type ceiling struct{}

// yardstickWord on the command line makes this program that server.
const yardstickWord = "yardstick-server"

func (ceiling) name() string      { return second }
func (ceiling) knows(m mode) bool { return m == hold || m == relay }
func (ceiling) crowd() int        { return 2000 }

func (ceiling) version(context.Context) (string, error) {
	return "SMTP by hand, one log, one sync for all that wait; nothing else", nil
}

func (ceiling) order(at place) (warden.Order, error) {
	self, err := os.Executable()
	sink := ""
	if at.mode == relay {
		sink = at.sink()
	}
	return warden.Order{Command: []string{self, yardstickWord, at.addr(), filepath.Join(at.dir, "log"), sink}}, err
}

// links is how many connections to the sink the yardstick has: as many as
// posthouse is told in relay.hcl.
const links = 20

// becomePeer serves, and does not return, if the command line says that this
// program is a server that was started to be measured.
func becomePeer(args []string) error {
	switch {
	case len(args) >= 4 && args[1] == baselineWord:
		return serveBaseline(args[2], args[3], args[4:]...)
	case len(args) == 5 && args[1] == yardstickWord:
		return yardstick.Serve(yardstick.Options{Addr: args[2], Log: args[3], Sink: args[4], Links: links})
	case len(args) >= 6 && args[1] == clusterWord:
		if err := serveCluster(args[2], args[3], args[4], args[5:]); err != nil {
			return err
		}
		os.Exit(0)
	}
	return nil
}
