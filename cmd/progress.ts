/**
 * How far long work is, how fast it goes and how long it will take: one line on the terminal, with
 * what matters most first, as the end goes where the terminal is narrow.
 */
import type { Clock, Timer } from "../core/io.ts";
import { clientIo } from "./client.ts";
import { formatBytes } from "./output.ts";
import { progressOnTerminal } from "./terminal.ts";

const EVERY_MS = 500;
/** Rates are of about this long. */
const WINDOW_MS = 5000;

/** What is known of how far it is. */
export interface ProgressState {
  /** What is done, in the unit of `total`; that is null where the end is not known. */
  readonly done: number;
  readonly total: number | null;
  readonly bytes: number;
  /** Null where records are not counted. */
  readonly records: number | null;
  /** What has become of them, in words. */
  readonly counts: readonly string[];
}

interface Sample extends Pick<ProgressState, "done" | "bytes" | "records"> {
  readonly ms: number;
}

/** Shows every half second how far it is. */
export class Progress {
  #timer: Timer | null = null;
  /** What was known at times of the last seconds. */
  #samples: Sample[] = [];

  /** `show`: null where nobody looks on. */
  constructor(
    readonly clock: Clock,
    readonly show: ((text: string) => void) | null,
    readonly state: () => ProgressState,
  ) {
    if (show === null) return;
    this.#text();
    this.#tick(show);
  }

  /** Takes the line away. */
  stop(): void {
    this.#timer?.cancel();
    this.show?.("");
  }

  #tick(show: (text: string) => void): void {
    this.#timer = this.clock.setTimer(EVERY_MS, () => {
      show(this.#text());
      this.#tick(show);
    });
  }

  #text(): string {
    const { done, total, bytes, records, counts } = this.state();
    const ms = this.clock.monotonicMs();
    this.#samples.push({ ms, done, bytes, records });
    this.#samples = this.#samples.filter((sample) => ms - sample.ms <= WINDOW_MS);
    const first = this.#samples[0]!;
    const perSecond = (now: number, before: number) =>
      Math.max(0, now - before) * 1000 / Math.max(1, ms - first.ms);
    const parts: string[] = [];
    if (total !== null) {
      parts.push(`${Math.min(100, Math.floor(done / Math.max(1, total) * 100))} %`);
      const rate = perSecond(done, first.done);
      if (rate > 0 && done < total) parts.push(`${duration((total - done) / rate)} left`);
    }
    parts.push(`${formatBytes(perSecond(bytes, first.bytes))}/s`);
    if (records !== null) {
      const rate = Math.round(perSecond(records, first.records ?? 0));
      parts.push(`${rate.toLocaleString("en")} records/s`);
    }
    return [...parts, ...counts].join(", ");
  }
}

/** The progress of work that says itself what is done. */
export class CountedProgress {
  #done = 0;
  #bytes = 0;
  readonly #progress: Progress;

  /** `total` is in the unit of what `add` is told to be done; null: not known. */
  constructor(verb: string, total: number | null) {
    this.#progress = new Progress(clientIo.clock, progressOnTerminal(false), () => ({
      ...{ done: this.#done, total, bytes: this.#bytes, records: null },
      counts: [`${formatBytes(this.#bytes)} ${verb}`],
    }));
  }

  add(done: number, bytes: number): void {
    this.#done += done;
    this.#bytes += bytes;
  }

  /** Takes the line away. */
  end(): void {
    this.#progress.stop();
  }
}

/** `42 s`, `3:07 min`, `2:15 h`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (number: number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)} h`;
}
