/**
 * Looks whether the topics that an application writes to are still there: a producer would wait for one
 * that was deleted, in silence, and with it all tasks. Topics that are read are looked after elsewhere.
 */
import type { Cluster } from "../../client/cluster.ts";
import { Errors } from "../../core/errors.ts";
import type { Clock, Timer } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";

/** Which topics. They may be others each time. */
export interface TopicsToWatch {
  readonly changelogs: readonly string[];
  /** By id: what stores that are processed with are of. */
  readonly changelogIds: ReadonlyMap<string, string>;
  readonly repartitions: readonly string[];
  /** Of others; the application does not make them. */
  readonly sinks: readonly string[];
}

const LOOK_MS = 5000;
/** A topic that is missing for so long is gone: a broker that has just begun may not know it yet. */
const GONE_MS = 15_000;

/** See the head of the file. */
export class WrittenTopics {
  #timer: Timer | null = null;
  #isClosed = false;
  readonly #missingSinceMs = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly cluster: Cluster,
    private readonly topics: () => TopicsToWatch,
    /** Hears once what ends the application. */
    private readonly onGone: (error: OperatorError) => void,
  ) {}

  start(): void {
    if (this.#isClosed) return;
    this.#timer = this.clock.setTimer(LOOK_MS, () => {
      this.#look().catch(() => {
        // Where nobody answers it shows elsewhere.
      }).finally(() => this.start());
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { changelogs, changelogIds, repartitions, sinks } = this.topics();
    const names = [...new Set([...changelogs, ...repartitions, ...sinks])];
    if (names.length === 0) return;
    const { topics } = await this.cluster.refresh(names);
    const nowMs = this.clock.monotonicMs();
    for (const { name, errorCode, topicId } of topics) {
      if (name === null || this.#isClosed) return;
      const isChangelog = changelogs.includes(name);
      const whatToDo = isChangelog
        ? "start it again: what that store had is gone with it; or begin anew: kstream stream reset"
        : repartitions.includes(name)
        ? "start it again: it makes the topic anew"
        : `create it with: kstream topic create ${name}`;
      if (errorCode === Errors.UNKNOWN_TOPIC_OR_PARTITION) {
        const sinceMs = this.#missingSinceMs.get(name) ?? nowMs;
        this.#missingSinceMs.set(name, sinceMs);
        if (nowMs - sinceMs >= GONE_MS) this.#tell(name, "it was deleted", whatToDo);
        continue;
      }
      this.#missingSinceMs.delete(name);
      if (errorCode !== Errors.NONE || !isChangelog) continue;
      const isOther = [...changelogIds].some(([id, topic]) => topic === name && id !== topicId);
      if (isOther) this.#tell(name, "it was deleted and made again", whatToDo);
    }
  }

  #tell(name: string, why: string, whatToDo: string): void {
    if (this.#isClosed) return;
    this.close();
    const what = `topic "${name}" is gone while the application writes to it`;
    this.onGone(new OperatorError(what, why, whatToDo));
  }
}
