package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/posthouse/posthouse/internal/admin"
)

// Relays says how it is with the relays where the house logs in with tokens.
func (c *Client) Relays(ctx context.Context) (admin.RelayList, error) {
	return get[admin.RelayList](ctx, c, "/v1/relays", nil)
}

// BeginLogin begins a login at the relay of a route.
func (c *Client) BeginLogin(ctx context.Context, route string) (p admin.RelayPrompt, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/relays/"+url.PathEscape(route)+"/login", nil, nil, &p)
	return p, err
}

// AwaitLogin waits for a person to log in, for a while; came is the address where a
// browser has ended.
func (c *Client) AwaitLogin(ctx context.Context, route, came string) (l admin.RelayLogin, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/relays/"+url.PathEscape(route)+"/wait", nil, admin.RelayWait{Came: came}, &l)
	return l, err
}

// TakeToken hands over a refresh token that was got elsewhere.
func (c *Client) TakeToken(ctx context.Context, route, token string) (l admin.RelayLogin, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/relays/"+url.PathEscape(route)+"/token", nil, admin.RelayToken{Token: token}, &l)
	return l, err
}
