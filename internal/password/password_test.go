package password_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/password"
)

// TestTooManyAtATime: who waits too long is told so, and of a crowd some are told at once
// that there are too many.
func TestTooManyAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := password.HoldGate()
		var mu sync.Mutex
		got := map[string]int{}
		for range 70 * runtime.GOMAXPROCS(0) {
			go func() {
				err := password.EnterGate(t.Context())
				mu.Lock()
				defer mu.Unlock()
				got[fmt.Sprint(err)]++
			}()
		}
		synctest.Wait()
		mu.Lock()
		if n := got[password.ErrBusy.Error()]; n != 6*runtime.GOMAXPROCS(0) || len(got) != 1 {
			t.Errorf("at once: %v", got)
		}
		mu.Unlock()
		time.Sleep(time.Minute)
		mu.Lock()
		if n := got[password.ErrBusy.Error()]; n != 70*runtime.GOMAXPROCS(0) {
			t.Errorf("after a minute: %v", got)
		}
		mu.Unlock()
		release()
		if err := password.EnterGate(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestKept reads what is kept of a password, some of it by other programs, and tries it.
func TestKept(t *testing.T) {
	for name, text := range map[string]string{
		"argon2id":      password.NewHash("lion-canary").String(),
		"SCRAM":         password.NewSCRAM("lion-canary", 4096).String(),
		"another SCRAM": "SCRAM-SHA-256$4096:ZmFpcmx5LXJhbmRvbS1zYWx0$Bvc+K7xEqfEFJ7FS+6fZjHYtolkJgNz3WKaTMRGGeSA=:x0zOwUR+9hntLJuvnRCIMg3y63f7YRIq3Xt8B2/RDGM=",
		"bcrypt":        "$2b$04$abcdefghijklmnopqrstuubmokO9r0OX8/0rhXpf66qtvfczUc1UC",
	} {
		t.Run(name, func(t *testing.T) {
			k, err := password.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			decoys := password.NewDecoys(password.NewKey())
			decoys.See(k)
			for word, want := range map[string]bool{"lion-canary": true, "lion-canar": false, "": false, strings.Repeat("lion-canary", 10): false} {
				if k.Fits(word) != want {
					t.Errorf("%q fits: %v", word, !want)
				}
				if decoys.For("nobody").Fits(word) {
					t.Errorf("%q fits nobody", word)
				}
			}
		})
	}
}

// TestWhatIsNotKept: what is malformed or would cost too much is refused, and not quoted.
func TestWhatIsNotKept(t *testing.T) {
	for _, text := range []string{
		"", "lion-canary", "{SSHA}lion-canary", "$1$lion-canary", "$2b$31$abcdefghijklmnopqrstuuXc8Y4ZzCZpcanaryZpcanaryZpcanary12345", "$2b$04$canary",
		"$argon2id$v=19$m=99999999,t=1,p=1$Y2FuYXJ5$canary", "SCRAM-SHA-256$1:canary$canary:canary", "SCRAM-SHA-256$99999999:canary$canary:canary",
	} {
		if k, err := password.Parse(text); err == nil || k != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, %v", text, k, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(password.NewSCRAM("x", 4096).String())
	f.Add(password.NewHash("x").String())
	f.Add("$2b$04$abcdefghijklmnopqrstuu")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := password.Parse(text)
		if (k == nil) == (err == nil) {
			t.Error(k, err)
		}
	})
}

func TestPrepare(t *testing.T) {
	for word, want := range map[string]string{"lion": "lion", "p\u00aa": "pa", "": "", "a\u00adb": "ab"} {
		got, err := password.Prepare(word)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, password.ErrPassword) {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
}
