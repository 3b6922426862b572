package budget

import (
	"bytes"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// TestPlaces: each line of the file is a stack, innermost first, and the part that
// it counts for.
func TestPlaces(t *testing.T) {
	text, err := os.ReadFile("testdata/stacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		want, stack, ok := strings.Cut(line, ":: ")
		if !ok {
			t.Fatalf("line %d: no :: in %q", n+1, line)
		}
		stack = strings.NewReplacer("posthouse/", ours, "pebblespool", "pebblespool", "pebble", pebble).Replace(strings.TrimSpace(stack))
		if part, function := place(strings.Split(stack, " < "), Posthouse()); part != strings.TrimSpace(want) {
			t.Errorf("line %d: %s because of %s, want %s", n+1, part, function, want)
		}
	}
}

func TestDivide(t *testing.T) {
	rules := []Rule{{"a.", "A", false}, {"b.", "B", false}, {"a.B", "B", false}, {"a.skip", "", false}, {"help.", "help", true}}
	parts, sum := Divide([]Sample{
		{[]string{"copy", "a.skip", "a.x", "b.y"}, 2},
		{[]string{"b.y", "a.x"}, 3},
		{[]string{"a.Bx"}, 4},
		{[]string{"c.z"}, 1},
		{nil, 1},
		{[]string{"copy", "help.x", "help.y", "outside", "a.x"}, 1},
		{[]string{"help.x", "main"}, 1},
	}, rules)
	got := fmt.Sprint(parts, sum)
	if want := "[{B 7 [{a.Bx 4} {b.y 3}]} {A 2 [{a.x 2}]} {help 2 [{for A 1} {for other 1}]} {other 2 [{c.z 1} {unknown 1}]}] 13"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestReadARealProfile: this test itself is found in its own profile.
func TestReadARealProfile(t *testing.T) {
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Skip(err) // go test -cpuprofile takes one already
	}
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		spin()
	}
	pprof.StopCPUProfile()
	samples, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	parts, sum := Divide(samples, []Rule{{ours + "bench/internal/budget.spin", "spin", false}})
	if sum <= 0 || len(parts) == 0 || parts[0].Name != "spin" {
		t.Errorf("of %d ns in %d samples the parts are %v", sum, len(samples), parts)
	}
	if _, err := Read(strings.NewReader("no profile")); err == nil {
		t.Error("nonsense is taken for a profile")
	}
}

//go:noinline
func spin() {
	x := uint32(1)
	for range 1 << 16 {
		x = x*1664525 + 1013904223
	}
	spun = x
}

var spun uint32 // keeps spin from being optimised away
