package pgspool_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// The tests share one server, which does not sync; each has a database of its own.
var shared struct {
	sync.Mutex
	server *pgtest.Server
	next   int
	end    []func() // of the server
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range slices.Backward(shared.end) {
		f()
	}
	os.Exit(code)
}

// first is a test that starts what outlives it.
type first struct{ testing.TB }

func (first) Cleanup(f func()) { shared.end = append(shared.end, f) }

// database makes a new one on the shared server, with the spool's tables.
func database(t testing.TB) (*pgtest.Server, string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s := pgtest.Start(first{t}, pgtest.Options{MayLose: true})
		s.Exec(t, "postgres", "CREATE DATABASE model")
		_, _, err := pgspool.Migrate(context.Background(), s.DSN("model"), pgspool.Options{})
		check(t, err)
		shared.server = s
	}
	shared.next++
	name := fmt.Sprint("spool", shared.next)
	shared.server.Exec(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE model")
	return shared.server, name
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
