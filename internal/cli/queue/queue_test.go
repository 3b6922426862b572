package queue

import (
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/smtp"
)

// letters are a queue as it may be on an ordinary morning.
func letters() []admintest.Letter {
	grey := smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "Greylisted, come back later")
	down := smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "mx1.down.example: connection refused")
	return []admintest.Letter{
		{From: "ann@example.org", Subject: "Invoice 4711", Age: 50 * time.Hour, Size: 4100, To: []admintest.Waiting{
			{To: "bob@grey.example", Due: 12*time.Hour + 30*time.Minute, Tried: 3, Reply: grey, Host: "mx1.grey.example"},
			{To: "joan@partner.example", Original: "team@example.org", Held: "root", Due: time.Hour},
		}},
		{From: "newsletter@example.org", Subject: "春天的消息", Age: 3 * time.Hour, Size: 250_000, Login: "news", To: []admintest.Waiting{
			{To: "carol@down.example", Due: 2 * time.Hour, Tried: 1, Reply: down},
			{To: "dave@down.example", Due: 2 * time.Hour, Tried: 1, Reply: down},
			{To: "erin@down.example", Due: 2 * time.Hour, Tried: 1, Reply: down},
		}},
		{Subject: "Undelivered: \x1b[31mred", Age: 90 * time.Minute, Size: 300, To: []admintest.Waiting{
			{To: "frank@slow.example"},
		}},
	}
}

func TestTheQueueIsListed(t *testing.T) { admintest.Run(t, "list", Command, letters()...) }

func TestAMessageIsShown(t *testing.T) { admintest.Run(t, "show", Command, letters()...) }

func TestTheQueueIsCounted(t *testing.T) { admintest.Run(t, "stats", Command, letters()...) }

func TestAHouseThatHoldsItsMailSaysSo(t *testing.T) {
	h := admintest.Open(t, letters()...)
	h.Holding = true
	h.Play("holding", Command)
}

func TestOrdersAreGiven(t *testing.T) { admintest.Run(t, "orders", Command, letters()...) }

func TestMailIsRemovedOnlyOnceItIsSaid(t *testing.T) { admintest.Run(t, "drop", Command, letters()...) }

func TestWithoutADaemonItIsSaidWhatToDo(t *testing.T) { admintest.Away(t, "away", Command) }
