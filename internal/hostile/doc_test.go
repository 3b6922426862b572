// Package hostile is for tests: what strangers do to a mail system, class by class,
// done to ours. testdata/catalogue.txt says what the classes are, and where in other
// packages more of each is tested; testdata/parsers.txt names for each parser that
// reads what strangers write the fuzz target that looks after it.
//
// Each class is a folder of testdata with stories, which [TestStories] plays with real
// houses (internal/daemon) on a network in memory (internal/simnet). The first lines
// of a story say what the attack is, whom it has hit, and what must happen:
//
//	Attack: ...
//	Hit:    ...
//	Must:   ...
//
// A class without a story fails [TestCatalogue].
package hostile
