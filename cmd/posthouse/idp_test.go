package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/smtp"
)

// idp is a provider of tokens for the scripts. What it does is said by files in the
// directory where it runs: "approved" is that a person has typed in the code, and
// "revoked" that the login was taken back. It writes the token that is good into
// "access", where "moody oauth" and "moody xoauth2" look for it, and each refresh token is
// good once. "refusing" is that the relays take no token at all.
func idp() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	p := &provider{refresh: "none"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /device", p.device)
	mux.HandleFunc("POST /token", p.token)
	fmt.Fprintln(os.Stderr, http.Serve(l, mux)) // until it is killed
}

type provider struct {
	mu      sync.Mutex
	given   int
	refresh string
}

func (p *provider) device(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("client_id") != "posthouse" {
		refuse(w, "invalid_client", "nobody knows this client")
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"device_code": "device-canary", "user_code": "WXYZ-1234", "verification_uri": "https://login.example.org/code",
		"expires_in": 600, "interval": 1,
	})
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch grant := r.FormValue("grant_type"); {
	case strings.HasSuffix(grant, ":device_code") && r.FormValue("device_code") == "device-canary":
		if !present("approved") {
			refuse(w, "authorization_pending", "")
			return
		}
	case grant == "refresh_token" && r.FormValue("refresh_token") == p.refresh && !present("revoked"):
	case grant == "client_credentials" && r.FormValue("client_secret") == "client-canary":
	default:
		refuse(w, "invalid_grant", "The login was taken back.\r\nTrace: 1234")
		return
	}
	p.given++
	access := fmt.Sprintf("access-canary-%d", p.given)
	p.refresh = fmt.Sprintf("refresh-canary-%d", p.given)
	if err := os.WriteFile("access", []byte(access), 0o600); err != nil {
		refuse(w, "server_error", err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": access, "refresh_token": p.refresh, "token_type": "Bearer", "expires_in": 3600})
}

func present(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func refuse(w http.ResponseWriter, word, text string) {
	answer(w, http.StatusBadRequest, map[string]any{"error": word, "error_description": text})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who does not read it has gone
}

// checkToken is how a relay looks at a token.
func checkToken(user, token string) error {
	good, err := os.ReadFile("access")
	if err != nil || present("refusing") || user != "li@sohu.com" || token != string(good) {
		return smtp.Replyf(smtp.CodeBadCredentials, smtp.EnhancedCode{5, 7, 8}, "%s is no token of %s", token, user)
	}
	return nil
}

// bearerServer is OAUTHBEARER as a relay has it.
func bearerServer() sasl.Server {
	return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		if checkToken(o.Username, o.Token) != nil {
			return &sasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer"}
		}
		return nil
	})
}

// xoauth2Server is XOAUTH2, for which go-sasl has no server.
type xoauth2Server struct{}

func (xoauth2Server) Next(response []byte) (challenge []byte, done bool, err error) {
	fields := strings.Split(string(response), "\x01")
	if len(fields) != 4 {
		return nil, true, smtp.Replyf(smtp.CodeBadCredentials, smtp.EnhancedCode{5, 7, 8}, "That is no XOAUTH2")
	}
	return nil, true, checkToken(strings.TrimPrefix(fields[0], "user="), strings.TrimPrefix(fields[1], "auth=Bearer "))
}
