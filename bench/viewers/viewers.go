//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
)

// viewers are pages that are looked at live.
type viewers struct {
	pictures atomic.Int64 // that have come, to all of them
	octets   atomic.Int64
	end      context.CancelFunc
	watching sync.WaitGroup
}

// watch opens n pages, in turn those of the scene, and returns when each has shown its
// first picture. The caller must call leave.
func (h *house) watch(ctx context.Context, n int) (*viewers, error) {
	v := &viewers{}
	ctx, v.end = context.WithCancel(ctx)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: n, DisableCompression: true}}
	shown := make(chan error, n)
	for i := range n {
		at := "http://" + h.console() + "/live?of=" + url.QueryEscape(h.scene.Pages[i%len(h.scene.Pages)])
		v.watching.Go(func() { shown <- v.look(ctx, client, at, func() { shown <- nil }) })
	}
	for range n {
		if err := <-shown; err != nil {
			v.leave()
			return nil, fmt.Errorf("a page cannot be looked at: %w", err)
		}
	}
	go func() { // what each says at its end
		for range n {
			<-shown
		}
	}()
	return v, nil
}

// look reads a stream until it ends; first is called when it has shown something.
func (v *viewers) look(ctx context.Context, client *http.Client, at string, first func()) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return fmt.Errorf("%s is %s, %s", at, answer.Status, kind)
	}
	lines := bufio.NewReaderSize(answer.Body, 64<<10)
	for seen, data := false, false; ; {
		line, more, err := lines.ReadLine()
		v.octets.Add(int64(len(line)))
		switch {
		case err != nil:
			return fmt.Errorf("%s ended: %w", at, err)
		case more || len(line) > 0:
			data = data || line[0] == 'd'
			continue
		case data:
			v.pictures.Add(1)
			if !seen {
				first()
			}
			seen, data = true, false
		}
	}
}

func (v *viewers) leave() {
	v.end()
	v.watching.Wait()
}
