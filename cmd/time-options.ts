/** Options of commands that take times or places in a topic. */
import { Option } from "@commander-js/extra-typings";
import { OperatorError } from "../core/operator-error.ts";
import { clientIo } from "./client.ts";
import { OffsetSyntaxError, parseOffsetPoint } from "../core/text/offset-range.ts";
import type { OffsetPoint } from "../core/text/offset-range.ts";

/** Help on times, for the end of a command's own. */
export const TIMES_HELP = `
Times: -6h, 2d12h, "6 hours ago", now, today, yesterday 14:00, monday 09:30 (the latest one), 09:30,
2026-01-31, 2026-01-31T09:30:00Z or +02:00, ms or seconds since 1970 with @ before them. Without
a zone they are in that of this machine (TZ), or with --utc in UTC. A time in the future is the end.
`;

/** `--utc`. */
export function utcOption() {
  return new Option("--utc", "times without a zone are in UTC, not in this machine's zone");
}

/** A place in a topic as a flag has it. Throws `OperatorError` (usage). */
export function parsePlace(text: string, utc: boolean): OffsetPoint {
  try {
    return parseOffsetPoint(text, clientIo.clock.wallMs(), utc);
  } catch (error) {
    if (!(error instanceof OffsetSyntaxError)) throw error;
    throw new OperatorError(error.message, "", "", 2);
  }
}
