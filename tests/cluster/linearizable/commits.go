package main

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The model of the committed offset of a partition: a register that never goes back, written by one stay
// of a member after the other. Who reads may be told an older value (why: ../groups-history.ts), but none
// that was never there. A commit that was not acknowledged was done at some time, or never.

type commitEntry struct {
	Type      string `json:"type"`
	Process   int    `json:"process"`
	Group     string `json:"group"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Stay      int    `json:"stay"`
	Outcome   string `json:"outcome"`
	CallNs    int64  `json:"callNs"`
	ReturnNs  *int64 `json:"returnNs"`
}

type committed struct {
	offset int64
	// Who wrote it, and with commas around each, who wrote before and may not any more.
	stay int
	past string
}

func checkCommits(entries []commitEntry) (string, error) {
	parts := map[string][]porcupine.Operation{}
	for _, one := range entries {
		if one.Type == "deliver" {
			continue
		}
		returned := int64(math.MaxInt64)
		if one.ReturnNs != nil {
			returned = *one.ReturnNs
		}
		name := fmt.Sprintf("%s/%d", one.Group, one.Partition)
		parts[name] = append(parts[name], porcupine.Operation{
			ClientId: one.Process, Input: one, Call: one.CallNs, Return: returned,
		})
	}
	names := make([]string, 0, len(parts))
	for name := range parts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		switch porcupine.CheckOperationsTimeout(commitModel.ToModel(), parts[name], timeLimit) {
		case porcupine.Illegal:
			return fmt.Sprintf("%s: no order of its %d operations explains what was committed",
				name, len(parts[name])), nil
		case porcupine.Unknown:
			return "", fmt.Errorf("%s takes too long", name)
		}
	}
	return "", nil
}

var commitModel = porcupine.NondeterministicModel{
	Init: func() []interface{} { return []interface{}{committed{0, -1, ","}} },
	Step: func(before, in, _ interface{}) []interface{} {
		state, op := before.(committed), in.(commitEntry)
		switch op.Type {
		case "commit":
			after, isDone := state.commit(op)
			isKnown := op.Outcome == "acknowledged"
			if isDone && !isKnown {
				return []interface{}{state, after}
			}
			if isDone {
				return []interface{}{after}
			}
			if !isKnown {
				return []interface{}{state}
			}
		case "start":
			if op.Offset <= state.offset {
				return []interface{}{state}
			}
		case "final":
			if op.Offset == state.offset {
				return []interface{}{state}
			}
		}
		return nil
	},
}

func (state committed) commit(op commitEntry) (committed, bool) {
	isPast := strings.Contains(state.past, fmt.Sprintf(",%d,", op.Stay))
	if op.Offset < state.offset || isPast {
		return state, false
	}
	past := state.past
	if state.stay >= 0 && state.stay != op.Stay {
		past += fmt.Sprintf("%d,", state.stay)
	}
	return committed{op.Offset, op.Stay, past}, true
}
