package bearer

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Prompt is what a person is asked to do.
type Prompt struct {
	URL     string    // to be opened in a browser
	Code    string    // to be typed in there; "": it asks for none
	Expires time.Time // of the offer
}

// login is one that is under way.
type login struct {
	prompt   Prompt
	device   *oauth2.DeviceAuthResponse // of Device
	state    string                     // of Browser: what must come back
	verifier string                     // of Browser (RFC 7636)
}

// Bounds of what a provider may want of a device.
const (
	mostInterval = 60 * time.Second
	offer        = 15 * time.Minute // for a person, if the provider does not say it
	mostOffer    = time.Hour
)

// Begin asks for a login in place of the one that holds, and of one that is under way.
// The error is a [*Fault].
func (s *Source) Begin(ctx context.Context) (Prompt, error) {
	var l *login
	var err error
	switch s.opts.Provider.Flow {
	case Device:
		l, err = s.offerDevice(ctx)
	case Browser:
		l = s.offerBrowser()
	default:
		err = refused("the program logs in by itself there: nobody else has to")
	}
	if err != nil {
		return Prompt{}, faultOf(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login = l
	return l.prompt, nil
}

func (s *Source) offerDevice(ctx context.Context) (*login, error) {
	d, err := s.config().DeviceAuth(s.web(ctx))
	if err != nil {
		return nil, err
	}
	if d.DeviceCode == "" || d.UserCode == "" || d.Interval < 0 || d.Interval > int64(mostInterval/time.Second) {
		return nil, passing("the provider's answer is not understood")
	}
	if latest := time.Now().Add(mostOffer); d.Expiry.IsZero() {
		d.Expiry = time.Now().Add(offer)
	} else if d.Expiry.After(latest) {
		d.Expiry = latest
	}
	if !isWeb(d.VerificationURI) {
		return nil, passing("the provider names no web page where the code is typed in")
	}
	return &login{device: d, prompt: Prompt{URL: line(d.VerificationURI), Code: line(d.UserCode), Expires: d.Expiry}}, nil
}

func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func (s *Source) offerBrowser() *login {
	l := &login{state: rand.Text(), verifier: oauth2.GenerateVerifier()}
	address := s.config().AuthCodeURL(l.state, oauth2.AccessTypeOffline, oauth2.ApprovalForce, oauth2.S256ChallengeOption(l.verifier))
	l.prompt = Prompt{URL: address, Expires: time.Now().Add(offer)}
	return l
}

// ErrPending says that a login was not waited for to its end: it goes on.
var ErrPending = errors.New("the login is still under way")

// Wait waits until the person has logged in, and keeps what comes of it. Of Browser,
// came is the address at which the browser has ended; of Device it is "". The error
// is a [*Fault], or ErrPending if ctx ends before the offer does.
func (s *Source) Wait(ctx context.Context, came string) error {
	s.mu.Lock()
	l := s.login
	s.mu.Unlock()
	if l == nil {
		return refused("no login is under way")
	}
	ctx, cancel := context.WithDeadline(ctx, l.prompt.Expires)
	defer cancel()
	var t *oauth2.Token
	var err error
	if l.device != nil {
		t, err = s.config().DeviceAccessToken(s.web(ctx), l.device)
	} else {
		t, err = s.exchange(ctx, l, came)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && !time.Now().Before(l.prompt.Expires):
		err = refused("nobody has logged in in time")
	case err == nil && t.RefreshToken == "":
		err = refused("the provider gives no refresh token: is its scope for that missing (offline_access)?")
	}
	if err != nil && ctx.Err() != nil && time.Now().Before(l.prompt.Expires) {
		return ErrPending
	}
	return s.loggedIn(ctx, l, t, err)
}

// exchange gets a token for what the browser brings.
func (s *Source) exchange(ctx context.Context, l *login, came string) (*oauth2.Token, error) {
	u, err := url.Parse(strings.TrimSpace(came))
	if err != nil {
		return nil, refused("that is no address of the web")
	}
	q := u.Query()
	switch code := q.Get("code"); {
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.state)) != 1:
		return nil, refused("that is not where this login ends: take the whole address, from the same browser")
	case q.Get("error") != "":
		return nil, refused("the provider says %s", q.Get("error"))
	case code == "":
		return nil, refused("there is no code in that address")
	default:
		return s.config().Exchange(s.web(ctx), code, oauth2.VerifierOption(l.verifier))
	}
}

// loggedIn ends a login.
func (s *Source) loggedIn(ctx context.Context, l *login, t *oauth2.Token, err error) error {
	s.mu.Lock()
	if s.login == l {
		s.login = nil
	}
	s.mu.Unlock()
	if err != nil {
		return faultOf(err) // the token before is as good as it was
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return passing("the provider does not answer in time")
	}
	s.keep(ctx, t.RefreshToken)
	return s.learn(t, nil)
}

// Take takes over a refresh token that was got elsewhere, and sees whether it is good.
func (s *Source) Take(ctx context.Context, token string) error {
	if s.opts.Provider.Flow == Client {
		return refused("the program logs in by itself there: no token is kept")
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return passing("the provider does not answer in time")
	}
	t, err := s.config().TokenSource(s.web(ctx), &oauth2.Token{RefreshToken: token}).Token()
	if err != nil {
		return faultOf(err)
	}
	s.keep(ctx, t.RefreshToken)
	return s.learn(t, nil)
}
