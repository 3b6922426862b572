# Shortcuts. Nothing here is needed to build or test: see README.md.

.PHONY: test all fuzz bench crash
test: ; go test ./...
all: ; .ci/run
fuzz: ; .ci/fuzz $(or $(FOR),30s)
# Kills the mail system N times under load: make crash N=10000 [SEED=...]
crash: ; POSTHOUSE_CRASH_CYCLES=$(or $(N),100) POSTHOUSE_CRASH_SEED=$(SEED) go test -count=1 -timeout 0 -v -run 'TestCrash$$' ./cmd/posthouse
bench: ; cd bench && go run ./library
