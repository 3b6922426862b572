package spool_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/smtp"
)

// One message passes both desks: intake commits it, dispatch settles it.
func Example() {
	ctx := context.Background()
	engine := memspool.New(memspool.Options{})
	defer engine.Close()

	// Dispatch begins its life.
	owner, err := engine.Join(ctx, "node-1", 30*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Intake takes a message in; it is ours from Commit on.
	lease, err := takeIn(ctx, engine, owner, "bob@sina.example", "Subject: hello\r\n\r\nIt rains.\r\n")
	if err != nil {
		fmt.Println(err)
		return
	}

	// Dispatch opens it, delivers it to the one recipient, and says what came of it.
	content, err := engine.Open(ctx, lease.Envelope.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(content.Size(), "octets for", lease.Envelope.To[0].To)

	standing := lease.Recipients[0]
	standing.Fate, standing.Suspect = mail.Relayed, false
	settled, err := engine.Settle(ctx, owner, []spool.Settlement{{
		ID:      lease.Envelope.ID,
		Results: []spool.Standing{standing},
		Facts:   []spool.Fact{{At: time.Now(), Data: []byte("relayed to mx.sina.example")}},
	}})
	fmt.Println(settled[0].Err, err)

	// The message is gone, and its story remains.
	page, err := engine.Facts(ctx, spool.FactQuery{ID: lease.Envelope.ID})
	for _, f := range page.Facts {
		fmt.Printf("%s\n", f.Data)
	}
	fmt.Println(err)
	// Output:
	// 46 octets for bob@sina.example
	// <nil> <nil>
	// arrived
	// relayed to mx.sina.example
	// <nil>
}

func takeIn(ctx context.Context, engine spool.Engine, owner spool.Owner, to, body string) (*spool.Lease, error) {
	path, err := smtp.ParseMailbox(to)
	if err != nil {
		return nil, err
	}
	draft, err := engine.Begin(ctx, int64(len(body)))
	if err != nil {
		return nil, err
	}
	defer draft.Abort() // does nothing after Commit
	if _, err := io.WriteString(draft, body); err != nil {
		return nil, err
	}
	return draft.Commit(ctx, spool.Commit{
		Envelope: mail.Envelope{To: []mail.Recipient{{To: path, Original: path}}, Arrived: time.Now()},
		Prepend:  []byte("Received: by us\r\n"),
		Facts:    []spool.Fact{{At: time.Now(), Data: []byte("arrived")}},
		For:      owner,
	})
}
