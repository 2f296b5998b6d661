/** The process of a host, at the worker's end of a channel; no command for people. */
import { writeFileSync } from "node:fs";
import { endWithParent } from "../../../core/io/bun/libc.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import { stackOf } from "../../../core/stack-of.ts";
import { serveWork } from "./host-work.ts";

const EXIT_FAILED = 1;

/** Serves until the worker is gone. */
export function runHost(): Promise<never> {
  if (process.send === undefined) {
    throw new OperatorError("this is started by workers alone", "", "see: kstream connect", 2);
  }
  // However the worker ends, and whatever the module does then.
  endWithParent();
  process.on("disconnect", () => process.exit(0));
  giveUpFirst();
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
  const served = serveWork({
    send: (message) => {
      // What cannot be sent has nobody to hear it: the end of the channel ends this.
      if (process.connected) process.send?.(message);
    },
    exit: () => process.exit(EXIT_FAILED),
  });
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.removeAllListeners(event);
    process.on(event, (error: unknown) => {
      process.stderr.write(`${served.hidden(stackOf(error))}\n`);
      process.exit(EXIT_FAILED);
    });
  }
  process.on("message", (message) => served.take(message));
  return new Promise(() => {});
}

/** Where memory of the machine runs out, this is ended before brokers and workers are. */
function giveUpFirst(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // Linux alone has it.
  }
}
