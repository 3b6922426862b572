// Package sabotage is the bugs that we plant ourselves, to see that the simulation in
// internal/house finds them. In the rooms there is a line for each:
//
//	if sabotage.Is("a text is recorded before it is whole") { ... }
//
// Without the build tag "sabotage" [Is] is false for the compiler too: the line
// costs nothing, and is in no program that anybody runs. With it one bug is chosen by
// name, with [Choose].
package sabotage
