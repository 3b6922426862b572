package client

import (
	"context"

	"github.com/posthouse/posthouse/internal/admin"
)

// Find returns a page of the messages that the journal tells of, by words as in package
// find. With a limit of 0 it is as long as is usual.
func (c *Client) Find(ctx context.Context, words, after string, limit int) (admin.FoundPage, error) {
	return get[admin.FoundPage](ctx, c, "/v1/find", values("q", words, "after", after, "limit", number(limit)))
}
