// Command linearizable checks what clients did and saw against a model, with Porcupine (a checker of
// others: the project's own are ../history.ts, ../lists-history.ts, ../groups-history.ts).
//
// Its argument names the model: log, an append-only log (here); lists, lists that transactions append to
// (lists.go); commits, committed offsets of groups (commits.go). Standard input has one JSON object a line, as those files write them. Exit code 0: the
// history is linearizable. 1: not; standard output says where. 2: the history cannot be read or the time
// was not enough.
//
// In a log, an append whose outcome is unknown has no offset; if the final read has its value, it was done
// at that offset at any time after its call, else never.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

type entry struct {
	Type      string `json:"type"`
	Process   int    `json:"process"`
	Partition int    `json:"partition"`
	Value     string `json:"value"`
	Offset    *int64 `json:"offset"`
	CallNs    int64  `json:"callNs"`
	ReturnNs  *int64 `json:"returnNs"`
	Count     int    `json:"count"`
}

type input struct {
	kind   string
	offset int64
	value  string
	count  int
}

const timeLimit = 4 * time.Minute

func main() {
	problem, err := check(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "linearizable:", err)
		os.Exit(2)
	}
	if problem != "" {
		fmt.Println(problem)
		os.Exit(1)
	}
}

// check gives what is wrong with the history on standard input, or nothing.
func check(model string) (string, error) {
	switch model {
	case "log":
		return with(checkLog)
	case "lists":
		return with(checkLists)
	case "commits":
		return with(checkCommits)
	}
	return "", fmt.Errorf("there is no model %q", model)
}

func with[Entry any](check func([]Entry) (string, error)) (string, error) {
	entries, err := readAll[Entry]()
	if err != nil {
		return "", err
	}
	return check(entries)
}

func checkLog(entries []entry) (string, error) {
	for partition, history := range byPartition(entries) {
		operations, log := toOperations(history)
		switch porcupine.CheckOperationsTimeout(logModel(log), operations, timeLimit) {
		case porcupine.Illegal:
			return fmt.Sprintf("partition %d: no order of its %d operations explains what was seen",
				partition, len(operations)), nil
		case porcupine.Unknown:
			return "", fmt.Errorf("partition %d takes too long", partition)
		}
	}
	return "", nil
}

func readAll[Entry any]() ([]Entry, error) {
	var entries []Entry
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<28)
	for lines.Scan() {
		var one Entry
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, err
		}
		entries = append(entries, one)
	}
	return entries, lines.Err()
}

func byPartition(entries []entry) map[int][]entry {
	parts := map[int][]entry{}
	for _, one := range entries {
		parts[one.Partition] = append(parts[one.Partition], one)
	}
	return parts
}

// What was appended at an offset, as which record of the log.
type record struct {
	value string
	rank  int
}

// toOperations also gives all records by their offsets.
func toOperations(history []entry) ([]porcupine.Operation, map[int64]record) {
	found := map[string]int64{}
	for _, one := range history {
		if one.Type == "read" {
			found[one.Value] = *one.Offset
		}
	}
	var operations []porcupine.Operation
	log := map[int64]record{}
	for _, one := range history {
		in := input{kind: one.Type, value: one.Value, count: one.Count}
		returned := int64(math.MaxInt64)
		if one.ReturnNs != nil {
			returned = *one.ReturnNs
		}
		if one.Type != "final" {
			offset, isKnown := found[one.Value]
			if one.Offset != nil {
				offset, isKnown = *one.Offset, true
			}
			if !isKnown {
				continue
			}
			in.offset = offset
		}
		if one.Type == "append" {
			log[in.offset] = record{value: one.Value}
		}
		operations = append(operations, porcupine.Operation{
			ClientId: one.Process, Input: in, Call: one.CallNs, Return: returned,
		})
	}
	return operations, ranked(log)
}

func ranked(log map[int64]record) map[int64]record {
	for rank, offset := range slices.Sorted(maps.Keys(log)) {
		log[offset] = record{value: log[offset].value, rank: rank}
	}
	return log
}

// The state is how many records were appended. Offsets only grow, so that each append has one place among
// all: a search that tried others would come to the same end, after a long time.
func logModel(log map[int64]record) porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return 0 },
		Step: func(before, in, _ interface{}) (bool, interface{}) {
			count, op := before.(int), in.(input)
			one, isThere := log[op.offset]
			isSame := isThere && one.value == op.value
			switch op.kind {
			case "append":
				return isSame && one.rank == count, count + 1
			case "read":
				return isSame && one.rank < count, count
			case "final":
				return op.count == count, count
			}
			return false, count
		},
	}
}
