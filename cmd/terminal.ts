/** What the client commands do with the terminal: lines on stderr, progress, SIGINT. */
import { writeSync } from "node:fs";
import { OperatorError } from "../core/operator-error.ts";
import { fit } from "./fit.ts";

const STDERR = 2;
const CLEAR_LINE = "\r\x1b[K";

/** Prints a line on stderr. A stderr that is gone changes nothing. */
export function say(line: string): void {
  writeStderr(`${line}\n`);
}

/**
 * Replaces the last line on stderr, if a person looks on; an empty text clears it. Where that person
 * types the input (`typed`), it only clears, as progress would mix with what is typed.
 */
export function progressOnTerminal(typed: boolean): ((text: string) => void) | null {
  if (!process.stderr.isTTY) return null;
  return (text) => {
    // A line that is longer than the terminal is wide could not be replaced.
    const shown = typed ? "" : fit(text, (process.stderr.columns || 80) - 1);
    if (!typed || text === "") writeStderr(CLEAR_LINE + shown);
  };
}

/**
 * Aborted by the first SIGINT or SIGTERM, with an `OperatorError` for those who have nothing to finish;
 * the second one ends the process.
 */
export function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new OperatorError("interrupted", "", ""));
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return controller.signal;
}

function writeStderr(text: string): void {
  try {
    writeSync(STDERR, text);
  } catch {
    // Nobody is left to tell.
  }
}
