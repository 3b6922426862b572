package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// States is the part of an [Engine] that keeps small states.
type States interface {
	State(ctx context.Context, room, key string) (State, error)
	PutState(ctx context.Context, state State, was uint64) (version uint64, err error)
	States(ctx context.Context, room, after string, limit int) ([]State, error)
}

// Daily gathers a T for each day and name, in a room of the states, until somebody has reported it.
// What nobody has is forgotten after four days.
type Daily[T any] struct {
	States States
	Room   string
}

// Day is what was gathered under a name on a day.
type Day[T any] struct {
	Begin time.Time // of the day, in UTC
	Name  string
	Value T

	version uint64
}

const (
	keepDays = 4 * 24 * time.Hour
	maxTries = 50 // others gather too
)

// Add changes what stands under a name on the day of an instant, which is the zero T at first. The
// function may be called more than once. It is ErrLimit if what it has made is longer than [MaxState],
// as JSON; then nothing is changed.
func (d *Daily[T]) Add(ctx context.Context, at time.Time, name string, change func(*T)) error {
	err := ErrConflict
	for n := 0; errors.Is(err, ErrConflict) && n < maxTries; n++ {
		err = d.add(ctx, Day[T]{Begin: at.UTC().Truncate(24 * time.Hour), Name: name}, change)
	}
	return err
}

func (d *Daily[T]) add(ctx context.Context, day Day[T], change func(*T)) error {
	s, err := d.States.State(ctx, d.Room, day.key())
	if err == nil {
		err = day.read(s)
	} else if errors.Is(err, ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	change(&day.Value)
	value, err := json.Marshal(&day.Value)
	if err == nil {
		_, err = d.States.PutState(ctx, State{Room: d.Room, Key: day.key(), Value: value, Expires: day.Begin.Add(keepDays)}, day.version)
	}
	return err
}

// Before returns the days that were over at an instant, the oldest first. One that cannot be read is
// passed over.
func (d *Daily[T]) Before(ctx context.Context, now time.Time) (all []Day[T], err error) {
	today := now.UTC().Truncate(24 * time.Hour)
	for after := ""; ; {
		page, err := d.States.States(ctx, d.Room, after, MaxPage)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, s := range page {
			after = s.Key
			var day Day[T]
			if day.read(s) == nil && day.Begin.Before(today) {
				all = append(all, day)
			}
		}
	}
}

// Done forgets a day, as it stood when it was read: ErrConflict if more was gathered since.
func (d *Daily[T]) Done(ctx context.Context, day *Day[T]) error {
	_, err := d.States.PutState(ctx, State{Room: d.Room, Key: day.key()}, day.version)
	return err
}

func (day *Day[T]) key() string { return day.Begin.Format(time.DateOnly) + " " + day.Name }

func (day *Day[T]) read(s State) (err error) {
	date, name, _ := strings.Cut(s.Key, " ")
	day.Name, day.version = name, s.Version
	if day.Begin, err = time.Parse(time.DateOnly, date); err != nil {
		return fmt.Errorf("state %q: %w", s.Key, err)
	}
	return json.Unmarshal(s.Value, &day.Value)
}
