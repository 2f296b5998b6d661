/** What the client commands do with the terminal: lines on stderr, progress, SIGINT. */
import { writeSync } from "node:fs";

const STDERR = 2;
const CLEAR_LINE = "\r\x1b[K";

/** Prints a line on stderr. A stderr that is gone changes nothing. */
export function say(line: string): void {
  writeStderr(`${line}\n`);
}

/** Replaces the last line on stderr, if a person looks on; an empty text clears it. */
export function progressOnTerminal(): ((text: string) => void) | null {
  return process.stderr.isTTY ? (text) => writeStderr(CLEAR_LINE + text) : null;
}

/** Aborted by the first SIGINT or SIGTERM; the second one ends the process. */
export function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error("interrupted"));
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
