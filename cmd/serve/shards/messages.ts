/**
 * What a supervisor and its shards tell each other once a shard serves, a line of JSON each: one asks,
 * the other answers with the same number. A shard is asked how it is; a supervisor how the others are.
 */
import type { ShardHealth } from "../../../admin/health.ts";
import { Fields } from "./fields.ts";

/** See the head of the file. */
export type Message =
  | { readonly ask: number }
  | { readonly answer: number; readonly shards: readonly ShardHealth[] };

/** The line, with its newline. */
export function formatMessage(message: Message): string {
  return `${JSON.stringify(message)}\n`;
}

/** Reads what was in a line; what is not as `formatMessage` writes it is a bug of this program. */
export function parseMessage(fields: Fields): Message {
  if (fields.has("ask")) return { ask: fields.number("ask") };
  return {
    answer: fields.number("answer"),
    shards: fields.inners("shards").map((each) => ({
      shard: each.text("shard"),
      findings: each.inners("findings").map((finding) => ({
        what: finding.text("what"),
        severity: finding.text("severity") === "critical" ? "critical" : "warning",
        why: finding.text("why"),
      })),
    })),
  };
}

/** What is known of a shard that says nothing of itself. */
export function unready(shard: string, why: string): ShardHealth {
  return { shard, findings: [{ what: "not-ready", severity: "critical", why }] };
}
