import { sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin } from "../../client/admin.ts";
import { isRetriableError } from "../../client/errors.ts";
import { withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo } from "../client.ts";
import { print, printJson, terminalWidth } from "../output.ts";
import { onInterrupt } from "../terminal.ts";
import { formatFrame } from "./frame.ts";
import { compare, takeSample } from "./sample.ts";
import type { View } from "./sample.ts";

/** Options of `top`. */
export interface TopOptions extends AdminOptions {
  readonly once?: boolean | undefined;
  /** Seconds. */
  readonly interval: number;
  readonly json?: boolean | undefined;
}

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_TO_LINE_END = "\x1b[K";
const CLEAR_TO_END = "\x1b[J";
const DEFAULT_ROWS = 24;
const DEFAULT_COLUMNS = 80;
const CTRL_C = "\x03";

/** `kstream top`. */
export async function runTop(options: TopOptions): Promise<void> {
  const live = options.once !== true && options.json !== true;
  if (live && !(process.stdout.isTTY && process.stdin.isTTY)) {
    throw new OperatorError("this is no terminal", "", "--once prints one frame", 2);
  }
  await withAdmin(options, (admin) => live ? show(admin, options) : once(admin, options));
}

async function once(admin: Admin, options: TopOptions): Promise<void> {
  const now = () => clientIo.clock.monotonicMs();
  const before = await takeSample(admin, now);
  await sleep(clientIo.clock, options.interval * 1000, onInterrupt());
  const view = compare(before, await takeSample(admin, now));
  // An array, as frames are one document each.
  if (options.json) await printJson([view]);
  else await print(formatFrame(view, terminalWidth(), Infinity).join("\n") + "\n");
}

async function show(admin: Admin, options: TopOptions): Promise<void> {
  const quit = new AbortController();
  const signal = AbortSignal.any([quit.signal, onInterrupt()]);
  let view: View | null = null;
  let note = "";
  const draw = () => {
    const [columns, rows] = [
      process.stdout.columns || DEFAULT_COLUMNS,
      process.stdout.rows || DEFAULT_ROWS,
    ];
    const lines = view === null ? ["asking…"] : formatFrame(view, columns, rows - 1);
    const foot = `${new Date().toISOString().slice(11, 19)} UTC  ${note || "q quits"}`;
    const text = [...lines, foot.slice(0, columns)].join(`${CLEAR_TO_LINE_END}\r\n`);
    process.stdout.write(HOME + text + CLEAR_TO_LINE_END + CLEAR_TO_END);
  };
  const onKey = (data: Uint8Array | string) => {
    const keys = typeof data === "string" ? data : new TextDecoder().decode(data);
    if (/[qQ]/.test(keys) || keys.includes(CTRL_C)) quit.abort();
  };
  process.stdin.setRawMode(true);
  process.stdin.on("data", onKey);
  process.stdout.on("resize", draw);
  process.stdout.write(ENTER);
  try {
    draw();
    const now = () => clientIo.clock.monotonicMs();
    let before = await takeSample(admin, now);
    view = compare(before, before);
    while (!signal.aborted) {
      draw();
      await sleep(clientIo.clock, options.interval * 1000, signal).catch(() => {});
      if (signal.aborted) break;
      try {
        const sample = await takeSample(admin, now);
        view = compare(before, sample);
        before = sample;
        note = "";
      } catch (error) {
        // A broker that restarts comes back; what is shown is old until then.
        if (!isRetriableError(error)) throw error;
        note = error instanceof Error ? error.message : String(error);
      }
    }
  } finally {
    process.stdout.write(LEAVE);
    process.stdout.off("resize", draw);
    process.stdin.off("data", onKey);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}
