package main

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The model of one list that transactions append to, as one partition under read_committed: what is
// promised and what is not is at the head of ../lists-history.ts. Each list is a history of its own:
// nothing is promised of the times of several. What binds them is the outcome of a transaction, which is
// one for all: where nobody knows it, it was committed if any of its values was seen in any list.
//
// A commit acts on a list between the call and the time by which it was done everywhere, an abort from the
// beginning of the transaction on.

type listEntry struct {
	Type        string  `json:"type"`
	Process     int     `json:"process"`
	List        string  `json:"list"`
	Value       string  `json:"value"`
	Transaction *string `json:"transaction"`
	Outcome     string  `json:"outcome"`
	Offset      *int64  `json:"offset"`
	After       int64   `json:"after"`
	CallNs      int64   `json:"callNs"`
	ReturnNs    *int64  `json:"returnNs"`
	BeginNs     int64   `json:"beginNs"`
	DoneNs      *int64  `json:"doneNs"`
	Count       int     `json:"count"`
}

// A value in a list, at its place among all that are known to be there.
type listRecord struct {
	value       string
	rank        int
	transaction string
	isCommitted bool
	// The offset of the committed one before.
	before int64
}

type list struct {
	records map[int64]listRecord
	// Of each transaction, its first offset and the rank of its last record.
	first map[string]int64
	last  map[string]int
	// How many are committed.
	visible int
}

type listInput struct {
	kind        string
	offset      int64
	after       int64
	value       string
	transaction string
	count       int
}

// How many records there are, and which transactions are open, in order, with commas around each.
type listState struct {
	appended int
	open     string
}

func checkLists(entries []listEntry) (string, error) {
	committed := outcomes(entries)
	byList := map[string][]listEntry{}
	for _, one := range entries {
		if one.Type != "end" {
			byList[one.List] = append(byList[one.List], one)
		}
	}
	names := make([]string, 0, len(byList))
	for name := range byList {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		content, problem := listOf(byList[name], committed)
		if problem != "" {
			return name + ": " + problem, nil
		}
		operations := listOperations(byList[name], entries, content, committed)
		switch porcupine.CheckOperationsTimeout(listModel(content), operations, timeLimit) {
		case porcupine.Illegal:
			return fmt.Sprintf("%s: no order of its %d operations explains what was seen",
				name, len(operations)), nil
		case porcupine.Unknown:
			return "", fmt.Errorf("%s takes too long", name)
		}
	}
	return "", nil
}

// outcomes tells which transactions are committed.
func outcomes(entries []listEntry) map[string]bool {
	of := map[string]string{}
	for _, one := range entries {
		if one.Type == "append" && one.Transaction != nil {
			of[one.List+" "+one.Value] = *one.Transaction
		}
	}
	seen := map[string]bool{}
	for _, one := range entries {
		if one.Type == "read" {
			seen[of[one.List+" "+one.Value]] = true
		}
	}
	committed := map[string]bool{"": true}
	for _, one := range entries {
		if one.Type == "end" {
			isSeen := one.Outcome == "unknown" && seen[*one.Transaction]
			committed[*one.Transaction] = one.Outcome == "committed" || isSeen
		}
	}
	return committed
}

// listOf gives what is in a list, or what cannot be.
func listOf(history []listEntry, committed map[string]bool) (*list, string) {
	found := map[string]int64{}
	for _, one := range history {
		if one.Type == "read" {
			found[one.Value] = *one.Offset
		}
	}
	all := &list{map[int64]listRecord{}, map[string]int64{}, map[string]int{}, 0}
	for _, one := range history {
		if one.Type != "append" {
			continue
		}
		transaction := ""
		if one.Transaction != nil {
			transaction = *one.Transaction
		}
		offset, isThere := found[one.Value]
		if one.Offset != nil {
			offset, isThere = *one.Offset, true
		}
		if !isThere && committed[transaction] {
			return nil, one.Value + " was committed and is not there"
		}
		if !isThere {
			continue
		}
		if other, isTaken := all.records[offset]; isTaken {
			return nil, fmt.Sprintf("%s and %s are both at %d", one.Value, other.value, offset)
		}
		all.records[offset] = listRecord{value: one.Value, transaction: transaction}
	}
	all.order(committed)
	return all, ""
}

// order fills in what follows from the order of the offsets.
func (all *list) order(committed map[string]bool) {
	offsets := make([]int64, 0, len(all.records))
	for offset := range all.records {
		offsets = append(offsets, offset)
	}
	slices.Sort(offsets)
	before := int64(-1)
	for rank, offset := range offsets {
		one := all.records[offset]
		one.rank, one.before, one.isCommitted = rank, before, committed[one.transaction]
		all.records[offset] = one
		if one.transaction != "" {
			if _, isKnown := all.first[one.transaction]; !isKnown {
				all.first[one.transaction] = offset
			}
			all.last[one.transaction] = rank
		}
		if one.isCommitted {
			all.visible++
			before = offset
		}
	}
}

func listOperations(
	history, everything []listEntry, content *list, committed map[string]bool,
) []porcupine.Operation {
	var operations []porcupine.Operation
	add := func(one listEntry, in listInput, returned *int64) {
		until := int64(math.MaxInt64)
		if returned != nil {
			until = *returned
		}
		operations = append(operations, porcupine.Operation{
			ClientId: one.Process, Input: in, Call: one.CallNs, Return: until,
		})
	}
	offsets := map[string]int64{}
	for offset, one := range content.records {
		offsets[one.value] = offset
	}
	for _, one := range history {
		in := listInput{kind: one.Type, value: one.Value, after: one.After, count: one.Count}
		if one.Type == "append" {
			offset, isThere := offsets[one.Value]
			if !isThere {
				continue
			}
			in.offset = offset
		} else if one.Offset != nil {
			in.offset = *one.Offset
		}
		add(one, in, one.ReturnNs)
	}
	for _, one := range everything {
		if one.Type != "end" {
			continue
		}
		if _, isHere := content.first[*one.Transaction]; isHere {
			if !committed[*one.Transaction] {
				one.CallNs = one.BeginNs
			}
			add(one, listInput{kind: "end", transaction: *one.Transaction}, one.DoneNs)
		}
	}
	return operations
}

func listModel(content *list) porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return listState{0, ","} },
		Step: func(before, in, _ interface{}) (bool, interface{}) {
			return content.step(before.(listState), in.(listInput))
		},
	}
}

func (all *list) step(state listState, op listInput) (bool, listState) {
	one, isThere := all.records[op.offset]
	switch op.kind {
	case "append":
		if !isThere || one.value != op.value || one.rank != state.appended {
			return false, state
		}
		open := state.open
		if one.transaction != "" && !strings.Contains(open, ","+one.transaction+",") {
			open += one.transaction + ","
		}
		return true, listState{state.appended + 1, open}
	case "end":
		// An append after the end would be one of another transaction.
		if state.appended <= all.last[op.transaction] {
			return false, state
		}
		rest := strings.Replace(state.open, ","+op.transaction+",", ",", 1)
		return rest != state.open, listState{state.appended, rest}
	case "read":
		isSame := isThere && one.value == op.value && one.isCommitted && one.before == op.after
		return isSame && one.rank < state.appended && op.offset < all.stable(state), state
	case "final":
		isAll := state.appended == len(all.records) && state.open == ","
		return isAll && op.count == all.visible, state
	}
	return false, state
}

// stable is the last stable offset: the first one of the transactions that are open.
func (all *list) stable(state listState) int64 {
	least := int64(math.MaxInt64)
	for _, transaction := range strings.Split(state.open, ",") {
		if first, isHere := all.first[transaction]; isHere {
			least = min(least, first)
		}
	}
	return least
}
