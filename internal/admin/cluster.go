package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// States of a node.
const (
	NodeWorking  = "working"
	NodeDraining = "draining" // it is asked to drain, and has mail yet
	NodeDrained  = "drained"  // it has none, takes none in and sends none
	NodeAway     = "away"     // it does not beat; the others have its mail, or soon will
)

// Cluster is those who share the queue of a house.
type Cluster struct {
	Shared bool          `json:"shared"`         // if not, the queue is on the disk of one machine
	Node   string        `json:"node,omitempty"` // who answers
	Nodes  []ClusterNode `json:"nodes"`          // by name
}

// ClusterNode is how it is with one of them.
type ClusterNode struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`
	Drain   bool      `json:"drain,omitempty"` // it is asked to, or will be when it comes back
	Since   time.Time `json:"since"`
	Beat    time.Time `json:"beat"`  // the last one
	Until   time.Time `json:"until"` // from then on the others take its mail, if it does not beat
	Epoch   uint64    `json:"epoch"`
	Leases  int64     `json:"leases"` // recipients that it is about to try, or tries
	Version string    `json:"version,omitempty"`
}

// DrainRequest asks a node to drain, or to work again.
type DrainRequest struct {
	Drain bool `json:"drain"`
}

// clusterOffers are about the nodes that share the queue.
func (a *API) clusterOffers() []offer {
	return []offer{
		{Operation{Pattern: "GET /v1/cluster", About: "Tells of the nodes that share the queue.", Answer: Cluster{}}, a.json(a.cluster)},
		{Operation{Pattern: "POST /v1/cluster/{node}/drain", About: "Asks a node to give its mail back and take no more, or to work again.", Body: DrainRequest{}, Answer: ClusterNode{}}, a.json(a.drain)},
	}
}

// shared is the spool as others share it; nil: nobody does.
func (a *API) shared() spool.Cluster {
	if a.opts.Node == "" {
		return nil
	}
	c, _ := a.opts.Spool.(spool.Cluster)
	return c
}

func (a *API) cluster(r *http.Request) (any, error) {
	c := Cluster{Nodes: []ClusterNode{}}
	shared := a.shared()
	if shared == nil {
		return c, nil
	}
	nodes, err := shared.Nodes(r.Context())
	if err != nil {
		return nil, err
	}
	c.Shared, c.Node = true, a.opts.Node
	for i := range nodes {
		c.Nodes = append(c.Nodes, nodeOf(&nodes[i], time.Now()))
	}
	return c, nil
}

func nodeOf(n *spool.Node, now time.Time) ClusterNode {
	c := ClusterNode{
		Name: n.Owner.Name, State: NodeWorking, Drain: n.Draining, Since: n.Since, Beat: n.Beat, Until: n.Until,
		Epoch: n.Owner.Epoch, Leases: n.Leases, Version: n.Version,
	}
	switch {
	case !n.Alive(now):
		c.State = NodeAway
	case n.Draining && n.Leases > 0:
		c.State = NodeDraining
	case n.Draining:
		c.State = NodeDrained
	}
	return c
}

func (a *API) drain(r *http.Request) (any, error) {
	var req DrainRequest
	if err := read(r, &req); err != nil {
		return nil, err
	}
	shared, name := a.shared(), r.PathValue("node")
	if shared == nil {
		return nil, &Fault{http.StatusConflict, "nobody shares the queue of this house", `spool { postgres = "..." } lets nodes share one`}
	}
	err := shared.Drain(r.Context(), name, req.Drain)
	if errors.Is(err, spool.ErrNotFound) {
		return nil, &Fault{http.StatusNotFound, "there is no node of that name", "posthouse cluster status lists them"}
	}
	if err != nil {
		return nil, err
	}
	a.opts.Log.Info("an operator asked a node to drain, or to work again", "node", name, "drain", req.Drain, "by", operator(r.Context()))
	nodes, err := shared.Nodes(r.Context())
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		if nodes[i].Owner.Name == name {
			return nodeOf(&nodes[i], time.Now()), nil
		}
	}
	return nil, &Fault{Status: http.StatusNotFound, Message: "the node is gone"}
}
