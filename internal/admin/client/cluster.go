package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/posthouse/posthouse/internal/admin"
)

// Cluster tells of the nodes that share the queue.
func (c *Client) Cluster(ctx context.Context) (admin.Cluster, error) {
	return get[admin.Cluster](ctx, c, "/v1/cluster", nil)
}

// Drain asks a node to give its mail back and take no more, or to work again.
func (c *Client) Drain(ctx context.Context, node string, on bool) (n admin.ClusterNode, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/cluster/"+url.PathEscape(node)+"/drain", nil, admin.DrainRequest{Drain: on}, &n)
	return n, err
}
