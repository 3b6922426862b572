# Shortcuts. Nothing here is needed to build or test: see README.md.

.PHONY: test all fuzz bench
test: ; go test ./...
all: ; .ci/run
fuzz: ; .ci/fuzz $(or $(FOR),30s)
bench: ; cd bench && go run ./library
