module github.com/posthouse/posthouse/bench

go 1.26.0

require (
	github.com/emersion/go-smtp v0.25.1
	github.com/posthouse/posthouse v0.0.0
)

replace github.com/posthouse/posthouse => ../
