/**
 * The two meters of quotas, by Kafka's rules, so that a client is slowed down as it would be there:
 * a rate over windows (`Rate` over `WindowedSum`) and a bucket of tokens (`TokenBucket`, KIP-599).
 * Times are monotonic milliseconds.
 */

/** How a quota is measured: `quota.window.num` windows of `quota.window.size.seconds`. */
export interface QuotaWindows {
  readonly count: number;
  readonly sizeMs: number;
}

/** What a response can say (an int32): beside a tiny quota the wait would have no end. */
const THROTTLE_MS_MAX = 0x7fff_ffff;

interface Window {
  startMs: number;
  lastMs: number;
  sum: number;
}

/** A rate per second over the last windows. */
export class WindowedRate {
  readonly #windows: Window[] = [];
  #current = 0;

  constructor(private readonly config: QuotaWindows) {}

  /** Notes `value` more; a negative one takes back what was noted. */
  record(value: number, nowMs: number): void {
    let window = this.#windows[this.#current];
    if (window === undefined || nowMs - window.startMs >= this.config.sizeMs) {
      window = this.#advance(nowMs);
    }
    window.sum += value;
    window.lastMs = nowMs;
  }

  /** Units per second; too low while the first windows fill, so that bursts pass. */
  rate(nowMs: number): number {
    this.#dropOld(nowMs);
    let sum = 0;
    for (const window of this.#windows) sum += window.sum;
    return sum / (this.measuredMs(nowMs) / 1000);
  }

  /** The time that `rate` speaks of: at least all windows but one. */
  measuredMs(nowMs: number): number {
    this.#dropOld(nowMs);
    let oldestMs = nowMs;
    for (const { startMs } of this.#windows) oldestMs = Math.min(oldestMs, startMs);
    const elapsedMs = nowMs - oldestMs;
    const missing = this.config.count - 1 - Math.floor(elapsedMs / this.config.sizeMs);
    return elapsedMs + Math.max(0, missing) * this.config.sizeMs;
  }

  /**
   * How long to wait until the rate is down to `bound`; 0 if it is (`QuotaUtils.throttleTime`).
   */
  throttleMs(bound: number, nowMs: number): number {
    const rate = this.rate(nowMs);
    if (rate <= bound) return 0;
    const waitMs = Math.round((rate - bound) / bound * this.measuredMs(nowMs));
    return Math.min(waitMs, THROTTLE_MS_MAX);
  }

  #advance(nowMs: number): Window {
    this.#current = (this.#current + (this.#windows.length === 0 ? 0 : 1)) % this.config.count;
    const fresh = { startMs: nowMs, lastMs: nowMs, sum: 0 };
    this.#windows[this.#current] = fresh;
    return fresh;
  }

  #dropOld(nowMs: number): void {
    const ageMs = this.config.count * this.config.sizeMs;
    for (const window of this.#windows) {
      if (nowMs - window.lastMs < ageMs) continue;
      window.startMs = nowMs;
      window.lastMs = nowMs;
      window.sum = 0;
    }
  }
}

/** Tokens that come back at a steady rate; what is taken may make them negative once. */
export class TokenBucket {
  #tokens: number | null = null;
  #lastMs = 0;

  constructor(private readonly config: QuotaWindows) {}

  /** What is left, if `perSecond` come back; at most what all windows hold. */
  tokens(perSecond: number, nowMs: number): number {
    const burst = perSecond * this.config.count * this.config.sizeMs / 1000;
    const before = this.#tokens ?? burst;
    const back = this.#tokens === null ? 0 : perSecond * (nowMs - this.#lastMs) / 1000;
    this.#tokens = Math.min(burst, before + back);
    this.#lastMs = nowMs;
    return this.#tokens;
  }

  /** Takes some, whatever is left. */
  take(count: number, perSecond: number, nowMs: number): void {
    this.#tokens = this.tokens(perSecond, nowMs) - count;
  }

  /** How long until there is none missing. */
  throttleMs(perSecond: number, nowMs: number): number {
    const tokens = this.tokens(perSecond, nowMs);
    return tokens >= 0 ? 0 : Math.min(Math.ceil(-tokens / perSecond * 1000), THROTTLE_MS_MAX);
  }
}
