/** The life of a process that serves: the signals that end it, and the errors that nobody handles. */
import { asError } from "../../core/as-error.ts";
import type { Logger } from "../../core/logger.ts";
import { stackOf } from "../../core/stack-of.ts";

/** Exit code of an end that was forced or that the process could not avoid. */
export const EXIT_FAILED = 1;

/**
 * `first` resolves at the first SIGTERM or SIGINT; a second one ends the process at once, after
 * `beforeForced`.
 */
export function listenForSignals(
  logger: Logger,
  beforeForced: () => void = () => {},
): { readonly first: Promise<void> } {
  const first = Promise.withResolvers<void>();
  let count = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    if (++count > 1) {
      beforeForced();
      process.exit(EXIT_FAILED);
    }
    logger.info("stopping: answering what is under way", { signal });
    first.resolve();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return { first: first.promise };
}

/** An error that nobody handles is a bug: what the process holds cannot be trusted after it. */
export function endOnStrayErrors(logger: Logger): void {
  const end = (reason: unknown) => {
    const error = asError(reason);
    die(logger, "an internal error ends the broker", error);
  };
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.removeAllListeners(event);
    process.on(event, end);
  }
  // Whoever reads our output may go before us, as in `kstream serve | head -1`.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
}

/** Ends the process without the mark of a clean end: the next start recovers. */
export function die(logger: Logger, message: string, error: Error): void {
  logger.error(message, { stack: stackOf(error) });
  process.exit(EXIT_FAILED);
}
