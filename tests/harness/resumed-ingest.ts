/** `kstream produce --resume`, killed again and again while it commits. */
import { KSTREAM } from "./broker-process.ts";

/** What the rounds came to. */
export interface KilledRounds {
  /** Where runs went on, in bytes, as they said. */
  readonly positions: readonly number[];
  /** Of runs that had come further than the one before. */
  readonly kills: number;
}

/** Rounds are given up after this many, done or not. */
const ROUNDS_MAX = 60;
/** A run that has nothing to go on from says nothing before it writes: it gets longer and longer. */
const SILENT_ROUND_MS = 400;
const STUCK_MS = 20_000;
/** A run is left so long first; twice as long whenever the run before it came no further. */
const FIRST_WITHIN_MS = 20;

/**
 * Runs the command until it ends by itself, or `rounds` runs that came further were killed; each at
 * a moment between where it says that it goes on and up to `withinMs` later.
 */
export async function runAndKill(
  args: readonly string[],
  rounds: number,
  withinMs: number,
): Promise<KilledRounds> {
  const positions: number[] = [];
  let kills = 0;
  let leftMs = FIRST_WITHIN_MS;
  for (let round = 0; round < ROUNDS_MAX && kills < rounds; round++) {
    const child = Bun.spawn([KSTREAM, "produce", ...args], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const silentMs = positions.length > 0 ? STUCK_MS : SILENT_ROUND_MS * (round + 1);
    const first = setTimeout(() => child.kill("SIGKILL"), silentMs);
    let said = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      said += decoder.decode(chunk, { stream: true });
      const at = /going on at byte (\d+)\n/.exec(said);
      if (at === null || timer !== undefined) continue;
      const position = Number(at[1]);
      if (position === positions.at(-1)) leftMs = Math.min(2 * leftMs, withinMs);
      else kills++;
      positions.push(position);
      timer = setTimeout(() => child.kill("SIGKILL"), (leftMs * (round % 10 + 1)) / 10);
    }
    const exitCode = await child.exited;
    clearTimeout(first);
    clearTimeout(timer);
    if (exitCode === 0) break;
    if (exitCode !== 137) throw new Error(`it ended with ${exitCode}: ${said}`);
  }
  return { positions, kills };
}
