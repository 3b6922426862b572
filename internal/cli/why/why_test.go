package why

import (
	"fmt"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// TestTheStoryOfAMessage: messages of one recipient each, so that the story is the
// same each time.
func TestTheStoryOfAMessage(t *testing.T) {
	h := admintest.Open(t)
	for _, to := range []string{"bob@sina.example", "jane@example.org", "carol@down.example", "dave@full.example"} {
		h.Send("jane@example.org", "Invoice 4711", to)
	}
	again := h.Send("jane@example.org", "春天的消息", "bob@grey.example")
	order(h, again, spool.Retry, "")
	order(h, again, spool.Hold, "the customer asked")
	order(h, again, spool.Bounce, "wrong customer")
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("user%d@slow.example", i)
	}
	h.Send("jane@example.org", "a list", many...)
	h.Play("why", Command)
}

func order(h *admintest.House, id mail.ID, verb spool.Verb, reason string) {
	h.T.Helper()
	q := spool.Query{Filter: spool.Filter{ID: id, To: "bob@*"}}
	if _, err := h.Dispatch.Order(h.T.Context(), q, spool.Order{Verb: verb, At: time.Now(), By: "root", Reason: reason}); err != nil {
		h.T.Fatal(err)
	}
	h.Quiet()
}

func TestWithoutADaemon(t *testing.T) { admintest.Away(t, "away", Command) }
