/** What a measurement is made of: processor time, memory, ratios of paired runs. */
import { cpus } from "node:os";
import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** User and system time that a process has used so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process now and at its peak, in bytes. */
export function memoryBytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

/** Minimum, median and maximum of some runs. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The spread of the values, of which there is at least one. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}

/** Ours over theirs, pair by pair. */
export function ratios(ours: readonly number[], theirs: readonly number[]): Spread {
  return spread(ours.map((value, index) => value / theirs[index]!));
}

/** The machine, for the head of a result file. */
export function machine(): Record<string, string | number> {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, platform: process.platform };
}

/** Writes and deletes files so that a virtual machine's memory has been touched once. */
export async function warmMemory(dir: string, gigabytes: number): Promise<void> {
  const block = new Uint8Array(64 * 1024 * 1024);
  for (let index = 0; index < gigabytes * 16; index++) {
    await Bun.write(`${dir}/warm-${index}`, block);
  }
  for (let index = 0; index < gigabytes * 16; index++) {
    await Bun.file(`${dir}/warm-${index}`).delete();
  }
}
