/** Questions to another process, of which one is under way at a time: who asks meanwhile waits for it, too. */
import type { ShardHealth } from "../../../admin/health.ts";
import type { Clock } from "../../../core/io.ts";

interface UnderWay {
  readonly id: number;
  readonly answer: PromiseWithResolvers<readonly ShardHealth[]>;
}

/** See the head of the file. */
export class Questions {
  #nextId = 1;
  #underWay: UnderWay | null = null;

  /** `send` puts the question with this number on its way. */
  constructor(private readonly clock: Clock, private readonly send: (id: number) => void) {}

  /** The answer; null if there is none within the time. The question stays under way then. */
  async ask(timeoutMs: number): Promise<readonly ShardHealth[] | null> {
    if (this.#underWay === null) {
      this.#underWay = { id: this.#nextId++, answer: Promise.withResolvers() };
      this.send(this.#underWay.id);
    }
    const { promise } = this.#underWay.answer;
    const late = Promise.withResolvers<null>();
    const timer = this.clock.setTimer(timeoutMs, () => late.resolve(null));
    try {
      return await Promise.race([promise, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  /** The other process has answered. */
  answered(id: number, shards: readonly ShardHealth[]): void {
    if (this.#underWay?.id !== id) return;
    this.#underWay.answer.resolve(shards);
    this.#underWay = null;
  }

  /** The other process is another one now, who was not asked. */
  forget(): void {
    this.#underWay = null;
  }
}
