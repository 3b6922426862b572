package userfile

import "context"

// heldGate is one that a test holds.
var heldGate *gate

// HoldGate makes a gate with nobody's turn left, until release.
func HoldGate() (release func()) {
	heldGate = newGate()
	for range cap(heldGate.slots) {
		heldGate.slots <- struct{}{}
	}
	return func() {
		for range cap(heldGate.slots) {
			heldGate.leave()
		}
	}
}

// EnterGate enters it.
func EnterGate(ctx context.Context) error { return heldGate.enter(ctx) }
