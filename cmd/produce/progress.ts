import type { Clock, Timer } from "../../core/io.ts";

const EVERY_MS = 500;
/** Rates are of about this long. */
const WINDOW_MS = 5000;

/** What is known of how far it is. */
export interface ProgressState {
  readonly sent: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** Bytes of input that were taken. */
  readonly bytes: number;
}

/** Shows every half second how far it is, how fast and how long it still takes. */
export class Progress {
  #timer: Timer | null = null;
  /** What was known at times of the last seconds. */
  #samples: { readonly ms: number; readonly bytes: number; readonly sent: number }[] = [];

  constructor(
    readonly clock: Clock,
    /** Of all inputs together; null if that is not known. */
    readonly totalBytes: number | null,
    readonly show: (text: string) => void,
    readonly state: () => ProgressState,
  ) {
    this.#tick();
  }

  stop(): void {
    this.#timer?.cancel();
    this.show("");
  }

  #tick(): void {
    this.#timer = this.clock.setTimer(EVERY_MS, () => {
      this.show(this.#text());
      this.#tick();
    });
  }

  #text(): string {
    const { sent, acknowledged, failed, bytes } = this.state();
    const ms = this.clock.monotonicMs();
    this.#samples.push({ ms, bytes, sent });
    this.#samples = this.#samples.filter((sample) => ms - sample.ms <= WINDOW_MS);
    const first = this.#samples[0]!;
    const counts = `sent ${sent}, acknowledged ${acknowledged}, failed ${failed}`;
    const seconds = (ms - first.ms) / 1000;
    if (seconds === 0) return counts;
    const rate = (bytes - first.bytes) / seconds;
    const speed = `${Math.round((sent - first.sent) / seconds)}/s, ${megabytes(rate)} MB/s`;
    if (this.totalBytes === null || rate <= 0) return `${counts}, ${speed}`;
    const percent = Math.min(100, Math.floor((bytes / Math.max(1, this.totalBytes)) * 100));
    const left = duration(Math.max(0, this.totalBytes - bytes) / rate);
    return `${percent} %, ${left} left, ${counts}, ${speed}`;
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

/** `42 s`, `3:07 min`, `2:15 h`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (number: number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)} h`;
}
