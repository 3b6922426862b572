# Shortcuts. Nothing here is needed to build or test: see README.md.

.PHONY: test all fuzz bench crash sim soak sabotage testssl deb
test: ; go test ./...
all: ; .ci/run
fuzz: ; .ci/fuzz $(or $(FOR),10s)
# Kills the mail system N times under load: make crash N=10000 [SEED=...]
crash: ; POSTHOUSE_CRASH_CYCLES=$(or $(N),100) POSTHOUSE_CRASH_SEED=$(SEED) go test -count=1 -timeout 0 -v -run 'TestCrash$$' ./cmd/posthouse
bench: ; cd bench && go run ./library

# A simulated mail world: SEED=N tells one story, FOR=5m searches on. LETTERS=N, PEBBLE=1
sim = cd internal/house && go test -count=1 -timeout 0 $(if $(LETTERS),-letters $(LETTERS)) $(if $(PEBBLE),-pebble)
sim: ; $(if $(SEED),$(sim) -v -run '^TestASeed$$' -seed $(SEED),$(sim) -run '^TestSearch$$' -for $(or $(FOR),1m))
soak: ; $(sim) -run '^TestSoak$$' -for $(or $(FOR),10m)
sabotage: ; go test -tags sabotage ./internal/house -count=1 -timeout 30m -v -run '^TestEveryPlantedBugIsFound$$'

# What testssl.sh finds at each port, a few minutes (Debian: testssl.sh)
testssl: ; POSTHOUSE_TEST_TESTSSL=1 go test -count=1 -timeout 0 -v -run '^TestTestssl$$' ./internal/e2e

# The package for Debian and its kin, in dist: make deb [VERSION=1.2.3]
VERSION ?= 0.0.0~dev
NFPM ?= go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
export VERSION
export ARCH = $(shell go env GOARCH)
deb:
	mkdir -p dist/man dist/completion
	CGO_ENABLED=0 go build -trimpath -o dist/posthouse ./cmd/posthouse
	dist/posthouse man dist/man
	for shell in bash zsh fish; do dist/posthouse completion $$shell > dist/completion/posthouse.$$shell || exit; done
	umask 022 && $(NFPM) package --config packaging/nfpm.yaml --packager deb --target dist
	packaging/check dist/posthouse_$(VERSION)_$(ARCH).deb
