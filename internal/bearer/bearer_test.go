package bearer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/bearer"
)

// provider answers each request with what is next.
type provider struct {
	mu      sync.Mutex
	asked   []url.Values
	answers []string // "STATUS body"; the last one stays
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, form)
	said := p.answers[0]
	if len(p.answers) > 1 {
		p.answers = p.answers[1:]
	}
	word, text, _ := strings.Cut(said, " ")
	status := map[string]int{"200": 200, "302": 302, "400": 400, "503": 503}[word]
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	header := http.Header{"Content-Type": {"application/json"}, "Location": {"https://elsewhere.example/"}}
	return &http.Response{StatusCode: status, Status: word + " said", Header: header, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

// drawer keeps a token.
type drawer struct {
	mu    sync.Mutex
	token string
	full  bool
}

func (d *drawer) Load(context.Context, string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.token, nil
}

func (d *drawer) Save(_ context.Context, _, token string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return errors.New("no space left on device")
	}
	d.token = token
	return nil
}

const (
	first   = `200 {"access_token":"access-1","refresh_token":"refresh-2","expires_in":3600,"token_type":"Bearer"}`
	second  = `200 {"access_token":"access-2","expires_in":3600,"token_type":"Bearer"}`
	revoked = `400 {"error":"invalid_grant","error_description":"taken back\nTrace: 1"}`
)

func source(flow bearer.Flow, d *drawer, answers ...string) (*bearer.Source, *provider) {
	p := &provider{answers: answers}
	return bearer.New(bearer.Options{
		Relay: "office", Keep: d, Web: p, Log: slog.New(slog.DiscardHandler),
		Provider: bearer.Provider{
			Flow: flow, ClientID: "id", ClientSecret: "hush", TokenURL: "https://login.example/token", DeviceURL: "https://login.example/device",
			AuthURL: "https://login.example/auth", RedirectURL: "http://127.0.0.1:8025/", Scopes: "send offline_access",
		},
	}), p
}

// TestRefreshedInTime: a token is asked for once, used by all, and another is got before
// it is over, with the refresh token that came last.
func TestRefreshedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &drawer{token: "refresh-1"}
		s, p := source(bearer.Device, d, first, second)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if token, err := s.Token(t.Context()); token != "access-1" || err != nil {
					t.Errorf("%q, %v", token, err)
				}
			})
		}
		all.Wait()
		time.Sleep(54 * time.Minute)
		if token, err := s.Token(t.Context()); token != "access-1" || err != nil || p.count() != 1 {
			t.Errorf("%q, %v after %d requests", token, err, p.count())
		}
		if st := s.Status(); !st.Ready || st.Expires.Sub(st.Got) != time.Hour {
			t.Errorf("%+v", st)
		}
		time.Sleep(2 * time.Minute)
		if token, err := s.Token(t.Context()); token != "access-2" || err != nil {
			t.Errorf("%q, %v", token, err)
		}
		if got := p.asked[1].Get("refresh_token"); got != "refresh-2" || d.token != "refresh-2" {
			t.Errorf("asked with %q, and %q is kept", got, d.token)
		}
	})
}

// TestWhatCannotBeKept is remembered for as long as the program runs.
func TestWhatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := source(bearer.Device, &drawer{token: "refresh-1", full: true}, first, second)
		for _, want := range []string{"access-1", "access-2"} {
			if token, err := s.Token(t.Context()); token != want || err != nil {
				t.Errorf("%q, %v", token, err)
			}
			time.Sleep(time.Hour)
		}
		if got := p.asked[1].Get("refresh_token"); got != "refresh-2" {
			t.Errorf("asked with %q", got)
		}
	})
}

// TestFaults: what passes, what a person has to mend, and when the provider is asked
// again.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		answer  string
		refused bool
		text    string
		pause   time.Duration
	}{
		{revoked, true, "the provider says invalid_grant: taken back", 15 * time.Minute},
		{`400 {"error":"invalid_client"}`, true, "the provider says invalid_client", 15 * time.Minute},
		{`400 {"error":"temporarily_unavailable"}`, false, "the provider says temporarily_unavailable", 10 * time.Second},
		{`503 access-canary`, false, "the provider answers 503 said", 10 * time.Second},
		{`200 access-canary`, false, "the provider's answer is not understood", 10 * time.Second},
		{`200 {"refresh_token":"access-canary"}`, false, "the provider's answer is not understood", 10 * time.Second},
		{`302 {}`, false, "the provider cannot be reached: it sends us elsewhere, and secrets do not follow", 10 * time.Second},
		{`away`, false, "the provider cannot be reached: connection refused", 10 * time.Second},
		{`400 {"error":"invalid_grant","error_description":"` + strings.Repeat("x", 10_000) + `"}`, true, "", 15 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, p := source(bearer.Device, &drawer{token: "refresh-1"}, c.answer, first)
			for range 3 {
				_, err := s.Token(t.Context())
				var f *bearer.Fault
				if !errors.As(err, &f) || f.Refused != c.refused || c.text != "" && f.Text != c.text || len(f.Text) > 400 {
					t.Errorf("%s: %#v", c.answer[:min(40, len(c.answer))], err)
				}
			}
			time.Sleep(c.pause - time.Second)
			if _, err := s.Token(t.Context()); err == nil || p.count() != 1 {
				t.Errorf("%s: asked %d times", c.text, p.count())
			}
			time.Sleep(time.Second)
			if token, err := s.Token(t.Context()); token != "access-1" || err != nil {
				t.Errorf("%s: %q, %v", c.text, token, err)
			}
		})
	}
}

// TestNobodyHasLoggedIn: then nobody is asked.
func TestNobodyHasLoggedIn(t *testing.T) {
	s, p := source(bearer.Device, &drawer{}, first)
	_, err := s.Token(t.Context())
	var f *bearer.Fault
	if !errors.As(err, &f) || !f.Refused || f.Text != "nobody has logged in yet" || p.count() != 0 {
		t.Errorf("%v after %d requests", err, p.count())
	}
}

// TestRejectedByTheRelay: an old token may be over; a fresh one that is refused is for a
// person to mend.
func TestRejectedByTheRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := source(bearer.Device, &drawer{token: "refresh-1"}, first, second)
		token, _ := s.Token(t.Context())
		time.Sleep(2 * time.Minute)
		if f := s.Rejected(token, "535 no"); f != nil {
			t.Errorf("a token of two minutes: %v", f)
		}
		if f := s.Rejected(token, "535 no"); f != nil {
			t.Errorf("two were told at once: %v", f)
		}
		token, err := s.Token(t.Context())
		if token != "access-2" || err != nil {
			t.Errorf("%q, %v", token, err)
		}
		if f := s.Rejected(token, "535 no"); f == nil || !f.Refused || f.Text != "the relay refuses the token: 535 no" {
			t.Errorf("a fresh token: %v", f)
		}
		if token, err := s.Token(t.Context()); err == nil {
			t.Errorf("the relay is asked again with %q", token)
		}
	})
}

// TestDeviceFlow: the person takes time; the provider asks for patience.
func TestDeviceFlow(t *testing.T) {
	const offered = `200 {"device_code":"d","user_code":"WXYZ","verification_uri":"https://login.example/code","expires_in":600,"interval":5}`
	const pending, slower = `400 {"error":"authorization_pending"}`, `400 {"error":"slow_down"}`
	for _, c := range []struct {
		answers []string
		took    time.Duration
		wrong   string
	}{
		{[]string{offered, pending, slower, pending, first}, 30 * time.Second, ""},
		{[]string{offered, pending, `400 {"error":"access_denied"}`}, 10 * time.Second, "the provider says access_denied"},
		{[]string{offered, pending}, 10 * time.Minute, "nobody has logged in in time"},
		{[]string{offered, second}, 5 * time.Second, "the provider gives no refresh token: is its scope for that missing (offline_access)?"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &drawer{}
			s, _ := source(bearer.Device, d, c.answers...)
			began := time.Now()
			p, err := s.Begin(t.Context())
			if err != nil || p.Code != "WXYZ" || p.URL != "https://login.example/code" || p.Expires.Sub(began) != 10*time.Minute {
				t.Fatalf("%+v, %v", p, err)
			}
			err = s.Wait(t.Context(), "")
			if took := time.Since(began).Round(time.Second); took != c.took {
				t.Errorf("%q: it took %v", c.answers, took)
			}
			switch {
			case c.wrong != "" && (err == nil || err.Error() != c.wrong || d.token != ""):
				t.Errorf("%q: %v", c.answers, err)
			case c.wrong == "" && (err != nil || d.token != "refresh-2" || !s.Status().Ready):
				t.Errorf("%q: %v, %q", c.answers, err, d.token)
			}
			if s.Status().Prompt != nil {
				t.Error("the login is still under way")
			}
		})
	}
}

// TestOddOffers are refused before anybody waits.
func TestOddOffers(t *testing.T) {
	for _, answer := range []string{
		`200 {"device_code":"d","user_code":"W","verification_uri":"https://login.example/code","interval":-1}`,
		`200 {"device_code":"d","user_code":"W","verification_uri":"https://login.example/code","interval":9223372036854775807}`,
		`200 {"device_code":"d","user_code":"W","verification_uri":"javascript:alert(1)"}`,
		`200 {"user_code":"W","verification_uri":"https://login.example/code"}`,
		`200 []`,
	} {
		s, _ := source(bearer.Device, &drawer{}, answer)
		if p, err := s.Begin(t.Context()); err == nil {
			t.Errorf("%s: %+v", answer, p)
		}
	}
}

// TestPending: a wait that is broken off leaves the login as it is.
func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := source(bearer.Device, &drawer{},
			`200 {"device_code":"d","user_code":"W","verification_uri":"https://login.example/code","expires_in":600}`, `400 {"error":"authorization_pending"}`)
		if _, err := s.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Wait(ctx, ""); !errors.Is(err, bearer.ErrPending) || s.Status().Prompt == nil {
			t.Errorf("%v", err)
		}
	})
}

// TestBrowserFlow: what comes back must belong to this login.
func TestBrowserFlow(t *testing.T) {
	d := &drawer{}
	s, p := source(bearer.Browser, d, first)
	prompt, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(prompt.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("client_id") != "id" || q.Get("redirect_uri") != "http://127.0.0.1:8025/" || q.Has("client_secret") {
		t.Errorf("asked by %s", prompt.URL)
	}
	if err := s.Wait(t.Context(), "http://127.0.0.1:8025/?code=c&state=other"); err == nil || p.count() != 0 {
		t.Errorf("another's login was taken: %v", err)
	}
	if prompt, err = s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	u, _ = url.Parse(prompt.URL)
	if err := s.Wait(t.Context(), "http://127.0.0.1:8025/?code=c&state="+u.Query().Get("state")); err != nil || d.token != "refresh-2" {
		t.Errorf("%v, %q", err, d.token)
	}
	if got := p.asked[0]; got.Get("code") != "c" || got.Get("code_verifier") == "" {
		t.Errorf("asked with %v", got)
	}
}

// TestClientFlow: nothing is kept, and nobody has to log in.
func TestClientFlow(t *testing.T) {
	d := &drawer{}
	s, p := source(bearer.Client, d, second)
	if token, err := s.Token(t.Context()); token != "access-2" || err != nil || d.token != "" {
		t.Errorf("%q, %v, %q", token, err, d.token)
	}
	if got := p.asked[0]; got.Get("grant_type") != "client_credentials" || got.Get("client_secret") != "hush" || got.Get("scope") != "send offline_access" {
		t.Errorf("asked with %v", got)
	}
	if _, err := s.Begin(t.Context()); err == nil {
		t.Error("somebody logs in")
	}
}

// TestTake: a token that was got elsewhere is taken only if it is good.
func TestTake(t *testing.T) {
	d := &drawer{}
	s, _ := source(bearer.Device, d, revoked, first)
	if err := s.Take(t.Context(), "refresh-x"); err == nil || d.token != "" {
		t.Errorf("%v, %q", err, d.token)
	}
	if err := s.Take(t.Context(), "refresh-1"); err != nil || d.token != "refresh-2" {
		t.Errorf("%v, %q", err, d.token)
	}
}

// TestSeal: only the same key opens what was sealed, under the same name.
func TestSeal(t *testing.T) {
	key := []byte("0123456789abcdef")
	sealed, err := bearer.Seal(key, "office", "refresh-canary")
	if err != nil || strings.Contains(string(sealed), "canary") {
		t.Fatalf("%q, %v", sealed, err)
	}
	if text, err := bearer.Unseal(key, "office", sealed); text != "refresh-canary" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for i := range sealed {
		bad := append([]byte(nil), sealed...)
		bad[i] ^= 1
		if _, err := bearer.Unseal(key, "office", bad); !errors.Is(err, bearer.ErrSeal) {
			t.Errorf("octet %d was changed: %v", i, err)
		}
	}
	for _, bad := range [][]byte{nil, sealed[:1], sealed[:12], sealed[:len(sealed)-1]} {
		if _, err := bearer.Unseal(key, "office", bad); !errors.Is(err, bearer.ErrSeal) {
			t.Errorf("%d octets: %v", len(bad), err)
		}
	}
	if _, err := bearer.Unseal(key, "robot", sealed); !errors.Is(err, bearer.ErrSeal) {
		t.Errorf("another name: %v", err)
	}
	if _, err := bearer.Unseal([]byte("another"), "office", sealed); !errors.Is(err, bearer.ErrSeal) {
		t.Errorf("another key: %v", err)
	}
	if _, err := bearer.Seal(nil, "office", "x"); err == nil {
		t.Error("sealed without a key")
	}
}

// FuzzUnseal: nothing but what was sealed is opened, whoever wrote the spool.
func FuzzUnseal(f *testing.F) {
	key := []byte("0123456789abcdef")
	sealed, err := bearer.Seal([]byte("another"), "office", "refresh-1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(nil), "office")
	f.Add(sealed, "office")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		if got, err := bearer.Unseal(key, name, text); !errors.Is(err, bearer.ErrSeal) || got != "" {
			t.Errorf("%q is opened as %q, %v", text, got, err)
		}
		again, err := bearer.Seal(key, name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bearer.Unseal(key, name, again); got != string(text) || err != nil {
			t.Errorf("%q comes back as %q, %v", text, got, err)
		}
	})
}
