//go:build sabotage

package house_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// planted are the bugs of internal/sabotage, by where they are found: in a town in
// bad weather, in a cluster, or by a journey that stops.
var (
	foundInTown = []string{
		"250 without a commit",
		"no trace is left",
		"only the first recipient gets it",
		"the sender gets it",
		"wishes for reports are forgotten",
		"a forward is forgotten",
		"what was relayed is recorded as deferred",
		"what was deferred is recorded as relayed",
		"that a delay was told is forgotten",
		"a cut behind the dot is not in the journal",
		"a crash behind the dot is not in the journal",
		"a report is sent twice",
		"no report is sent",
		"a report goes to the recipient",
		"the text of another letter is sent",
		"the last octets are not sent",
		"what the first recipient met counts for all",
		"leases are not given back",
		"mail goes where other mail goes",
		"mail is never given up",
		"nobody hears that mail was given up",
		"reports are answered with reports",
		"who wants no failure told hears of it",
		"the next host reports, and so do we",
		"no answer is taken for a yes",
		"not now is taken for never",
		"what was cut is sent again at once",
		"a refused recipient is taken for accepted",
		"a cut text is taken for whole",
		"stuffed dots stay",
		"leases are not noted",
		"a report is not committed with its record",
		"a commit is lazy",
		"after a crash nobody is suspect",
		"dots are not stuffed",
	}
	foundInCluster = []string{
		"a late result is taken",
		"leases are not renewed",
		"a commit in doubt is answered 250",
		"a result in doubt is taken for recorded",
		"what a dead node had is nobody's",
		"two nodes take the same mail",
		"a commit in doubt leaves a lease",
		"deliveries begin though the lease is over",
	}
	foundAtACall    = []string{"what a dead node had is not suspect"}
	foundOnAJourney = []string{
		"250 although the commit failed",
		"no sync at a commit",
		"the folder of bodies is not synced",
		"the file of a body is not synced",
		"the due index is not updated",
		"what was due stays due",
		"a file that has a message may be swept",
		"a restart suspects nobody",
		"a bounce is lazy",
		"a failed write is taken for done",
	}
	foundInHarbour = []string{
		"a good certificate is forgotten",
		"TLSA records that cannot be had ask for nothing",
		"who hides a policy ends it",
		"who waives TLS is not heard",
	}
	foundInMailroom = []string{
		"the file of a Maildir is not synced",
		"the folder of a Maildir is not synced",
		"the file of a dropped letter is not synced",
		"the folder of dropped letters is not synced",
		"the way of a dropped letter is not synced",
		"a dropped letter is removed before it is taken",
	}
)

// TestEveryPlantedBugIsFound: each by a story or a journey that goes wrong, though it goes well
// without the bug, as the other tests show. They are played by other processes,
// since a bug may well hang one.
func TestEveryPlantedBugIsFound(t *testing.T) {
	if _, planted := os.LookupEnv(within); planted {
		t.Skip("this is one of them")
	}
	var stories, clusters, calls, journeys, local [][]string
	harbour := [][]string{{"-test.run=^TestNobodyTakesTLSAway$"}}
	for seed := 1; seed <= 24; seed++ {
		clusters = append(clusters, []string{"-test.run=^TestASeed$", fmt.Sprint("-seed=", seed), "-letters=200", "-nodes=3"})
		stories = append(stories, []string{"-test.run=^TestASeed$", fmt.Sprint("-seed=", seed), "-letters=400"})
	}
	for first := range 11 {
		calls = append(calls, []string{"-test.run=^TestOneCall$", fmt.Sprint("-call=", 1+first), "-step=11"})
	}
	for first := range 13 { // one operation in 13 at first, and all in the end
		way := []string{"-test.run=^TestOneJourney$", fmt.Sprint("-stop=", 20+5*first%13), "-step=13"}
		journeys, local = append(journeys, way), append(local, append(slices.Clip(way), "-local", fmt.Sprint("-crash=", first%6)))
	}
	var mu sync.Mutex
	found, all := 0, 0
	hunt := func(name string, ways [][]string) {
		how := look(t, name, ways)
		mu.Lock()
		defer mu.Unlock()
		all++
		if how == "" {
			t.Errorf("nobody finds: %s", name)
			return
		}
		found++
		t.Logf("%-45s %s", name, how)
	}
	hands := make(chan struct{}, runtime.GOMAXPROCS(0))
	var hunters sync.WaitGroup
	for ways, names := range map[*[][]string][]string{&stories: foundInTown, &clusters: foundInCluster, &calls: foundAtACall, &journeys: foundOnAJourney, &local: foundInMailroom, &harbour: foundInHarbour} {
		for _, name := range names {
			hunters.Go(func() {
				hands <- struct{}{}
				defer func() { <-hands }()
				hunt(name, *ways)
			})
		}
	}
	hunters.Wait()
	t.Logf("%d of %d planted bugs are found", found, all)
}

// within is set for the processes that have a bug planted.
const within = "POSTHOUSE_PLANTED"

// look plays until something goes wrong, and returns what; "": nothing does.
func look(t *testing.T, bug string, ways [][]string) string {
	for _, way := range ways {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c := exec.CommandContext(ctx, os.Args[0], append(way, "-sabotage", bug)...)
		c.Env = append(os.Environ(), within+"=1")
		out, err := c.CombinedOutput()
		cancel()
		if err != nil {
			return strings.Join(way[min(1, len(way)-1):], " ") + ": " + complaint(string(out))
		}
	}
	return ""
}

// complaint is the first line of an output that says what is wrong.
func complaint(out string) string {
	for l := range strings.Lines(out) {
		for _, word := range []string{"town.go:", "sweep.go:", "localmail.go:", "secure_test.go:", "house.go:", "world.go:", "panic:"} {
			if at := strings.Index(l, word); at >= 0 {
				return strings.TrimSpace(l)[:min(len(strings.TrimSpace(l)), 120)]
			}
		}
	}
	return "it did not come to its end"
}
