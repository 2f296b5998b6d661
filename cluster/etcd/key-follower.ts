/**
 * Follows one key: what it holds at first, then each change. A watch gives changes at once; because
 * a watch can break, fall silent without breaking, or begin at a revision that was compacted, the
 * key is also read whenever a watch begins and now and then beside it. So states may be passed over,
 * but never the last one.
 */
import type { Timer } from "../../core/io.ts";
import { entryAt, type EtcdSession } from "./etcd-session.ts";
import type { EtcdEntry } from "./etcd-store.ts";

/** Called with the entry, or null where there is none, as it was in a revision. */
export type KeyListener = (entry: EtcdEntry | null, revision: number) => void;

/** See the head of this file. It ends with its session, or by `close`. */
export class KeyFollower {
  readonly #session: EtcdSession;
  readonly #key: string;
  readonly #listener: KeyListener;
  /** What was told last, and how new that is. */
  #toldRevision = -1;
  #told = 0;
  #stopWatch: (() => void) | null = null;
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(session: EtcdSession, key: string, listener: KeyListener) {
    this.#session = session;
    this.#key = key;
    this.#listener = listener;
    session.onClose(() => this.close());
  }

  /** Follows until the end. Never rejects, save for a listener that throws. */
  async run(): Promise<void> {
    for (let failures = 0; !this.#isClosed;) {
      const read = await this.#session.txn({
        compare: [],
        then: [{ type: "range", key: this.#key }],
        otherwise: [],
      });
      if (this.#isClosed) return;
      if (!read.ok) {
        this.#endWatch();
        await this.#session.pause(failures++);
        continue;
      }
      failures = 0;
      const entry = entryAt(read.value, 0);
      const missed = (entry?.modRevision ?? 0) !== this.#told;
      if (missed) this.#endWatch();
      this.#tell(entry, read.value.revision);
      if (this.#stopWatch === null) this.#watch(read.value.revision + 1);
      await this.#waitForCheck();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#endWatch();
    this.#wake();
  }

  #watch(fromRevision: number): void {
    const stop = this.#session.store.watch(this.#key, fromRevision, {
      onChange: (entry, revision) => {
        if (this.#stopWatch === stop) this.#tell(entry, revision);
      },
      onEnd: () => {
        if (this.#stopWatch !== stop) return;
        this.#stopWatch = null;
        this.#wake();
      },
    });
    this.#stopWatch = stop;
  }

  #endWatch(): void {
    this.#stopWatch?.();
    this.#stopWatch = null;
  }

  #tell(entry: EtcdEntry | null, revision: number): void {
    if (revision <= this.#toldRevision) return;
    const isFirst = this.#toldRevision < 0;
    this.#toldRevision = revision;
    const modRevision = entry?.modRevision ?? 0;
    if (modRevision === this.#told && !isFirst) return;
    this.#told = modRevision;
    this.#listener(entry, revision);
  }

  /** Until it is time to look again, or the watch has ended. */
  #waitForCheck(): Promise<void> {
    return new Promise((resolve) => {
      const { clock, times } = this.#session;
      const timer: Timer = clock.setTimer(times.checkMs, resolve);
      this.#wake = () => {
        timer.cancel();
        // A watch that ends at once, again and again, must not become a loop.
        clock.setTimer(Math.min(100, times.checkMs), resolve);
      };
      if (this.#isClosed) this.#wake();
    });
  }
}
