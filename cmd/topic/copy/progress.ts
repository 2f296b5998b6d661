/** How far a copy is, how fast it goes and how long it will take. */
import { clientIo } from "../../client.ts";
import { formatBytes } from "../../output.ts";
import { progressOnTerminal } from "../../terminal.ts";

const EVERY_MS = 250;

/** Shows one line on the terminal, if a person looks on. */
export class CopyProgress {
  readonly #show = progressOnTerminal(false);
  readonly #startMs = clientIo.clock.monotonicMs();
  #shownMs = 0;
  #done = 0;
  #bytes = 0;

  /** `total` is in the unit of what `add` is told to be done, as offsets. */
  constructor(readonly verb: string, readonly total: number) {}

  /** More is done; `skipped`: it was so before, and says nothing of how fast this goes. */
  add(done: number, bytes: number): void {
    this.#done += done;
    this.#bytes += bytes;
    const nowMs = clientIo.clock.monotonicMs();
    if (this.#show === null || nowMs - this.#shownMs < EVERY_MS) return;
    this.#shownMs = nowMs;
    this.#show(this.#line(nowMs - this.#startMs));
  }

  /** Takes the line away. */
  end(): void {
    this.#show?.("");
  }

  #line(elapsedMs: number): string {
    const share = this.total === 0 ? 1 : Math.min(1, this.#done / this.total);
    const rate = this.#bytes / (elapsedMs / 1000);
    const parts = [
      `${this.verb} ${Math.floor(share * 100)}%`,
      formatBytes(this.#bytes),
      `${formatBytes(rate)}/s`,
    ];
    if (share > 0 && share < 1) parts.push(`${duration(elapsedMs * (1 / share - 1))} left`);
    return parts.join(", ");
  }
}

/** `45s`, `3m05s`, `2h10m`. */
function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const two = (number: number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}m${two(seconds % 60)}s`
    : `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
}
