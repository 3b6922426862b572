//go:build sabotage

package house_test

import (
	"flag"
	"os"
	"testing"

	"github.com/posthouse/posthouse/internal/sabotage"
)

// TestMain plants the bug that a flag names.
func TestMain(m *testing.M) {
	flag.Func("sabotage", "the bug that is planted, by name", func(name string) error { sabotage.Choose(name); return nil })
	flag.Parse()
	os.Exit(m.Run())
}
