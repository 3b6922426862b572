package explain

import (
	"testing"

	"github.com/posthouse/posthouse/internal/admin/admintest"
)

func TestTheWayOfMail(t *testing.T) {
	h := admintest.Open(t)
	h.Send("jane@example.org", "nobody is there", "carol@down.example")
	h.Play("explain", Command)
}

func TestTheWayOfMailThatIsHeld(t *testing.T) {
	h := admintest.Open(t)
	h.Holding = true
	h.Play("held", Command)
}

func TestWithoutADaemon(t *testing.T) { admintest.Away(t, "away", Command) }
