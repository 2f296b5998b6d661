/** The text of a frame of `kstream top`. */
import { stripVTControlCharacters } from "node:util";
import { count, formatTable } from "../output.ts";
import type { View } from "./sample.ts";

/** Lines that are no rows: head, two titles, two gaps. */
const OTHER_LINES = 6;

/** Lines that fit a terminal of this size; Infinity for a pipe. */
export function formatFrame(view: View, columns: number, rows: number): string[] {
  const room = Math.max(2, rows - OTHER_LINES);
  const groupsMax = Math.min(view.groups.length, Math.max(1, Math.floor(room / 2)));
  const topicsMax = Math.max(1, room - groupsMax);
  const rate = (number: number) => number < 10 ? number.toFixed(1) : String(Math.round(number));
  const topics = formatTable(view.topics.slice(0, topicsMax), [
    { title: "TOPIC", cell: ({ topic }) => topic },
    { title: "PARTITIONS", cell: ({ partitions }) => partitions, right: true },
    { title: "END", cell: ({ endOffset }) => endOffset, right: true },
    { title: "RECORDS/S", cell: (topic) => rate(topic.rate), right: true },
  ], columns);
  const groups = formatTable(view.groups.slice(0, groupsMax), [
    { title: "GROUP", cell: ({ group }) => group },
    { title: "STATE", cell: ({ state }) => state },
    { title: "LAG", cell: ({ lag }) => lag, right: true },
    { title: "RECORDS/S", cell: (group) => rate(group.rate), right: true },
  ], columns);
  const trouble = view.underReplicated > 0
    ? `, ${count(view.underReplicated, "partition")} under-replicated`
    : "";
  const head = `${count(view.brokers, "broker")}, ${count(view.topics.length, "topic")}, ` +
    `${count(view.groups.length, "group")}${trouble}`;
  const lines = [head, "", ...topics.trimEnd().split("\n"), "", ...groups.trimEnd().split("\n")];
  return lines.slice(0, rows).map((line) => {
    const plain = stripVTControlCharacters(line);
    return plain.length > columns ? `${plain.slice(0, columns - 1)}…` : line;
  });
}
