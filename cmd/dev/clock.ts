/** `kstream dev clock`. */
import { OperatorError } from "../../core/operator-error.ts";
import { type AdminApiOptions, askAdmin } from "../admin-client.ts";
import { formatFacts, print, printJson } from "../output.ts";
import { formatDuration, parseDuration } from "../txn/duration.ts";

/** The options of the command. */
export interface ClockOptions extends AdminApiOptions {
  readonly sessions?: boolean | undefined;
  readonly json?: boolean | undefined;
}

const PATH = "/v1/dev/clock";

/** Shows the broker's time, after it was moved if `move` says so. */
export async function devClock(move: string, options: ClockOptions): Promise<void> {
  const answer = move === "show"
    ? await askAdmin(options, { method: "GET", path: PATH })
    : await askAdmin(options, {
      method: "POST",
      path: PATH,
      body: { advanceMs: advanceMs(move), sessions: options.sessions === true },
    });
  if (options.json) return await printJson(answer);
  const { nowMs, aheadMs } = readAnswer(answer);
  await print(formatFacts([
    ["time", new Date(nowMs).toISOString()],
    ["ahead", aheadMs === 0 ? "no" : formatDuration(aheadMs)],
  ]));
}

function advanceMs(move: string): number {
  try {
    if (move.startsWith("+")) return parseDuration(move.slice(1));
  } catch {
    // The same words for everything that is no move.
  }
  const isBack = move.startsWith("-") || move === "reset";
  throw new OperatorError(
    `the clock cannot be moved by "${move}"`,
    isBack ? "the broker's time never goes back" : "it is no duration with a + before it",
    isBack ? "restart the broker to have the real time" : "write it as +7d, +90s or +1h30m",
    2,
  );
}

function readAnswer(answer: unknown): { readonly nowMs: number; readonly aheadMs: number } {
  if (typeof answer === "object" && answer !== null && "nowMs" in answer && "aheadMs" in answer) {
    return { nowMs: Number(answer.nowMs), aheadMs: Number(answer.aheadMs) };
  }
  throw new OperatorError("the admin API's answer cannot be read", "it has no time in it", "");
}
