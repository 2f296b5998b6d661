/** How copies of topics are called, and which topics are whose copies (MM2's `ReplicationPolicy`). */

/** The topic of heartbeats in the cluster that they are written to. */
export const HEARTBEATS = "heartbeats";

export interface PolicySettings {
  readonly kind: "default" | "identity";
  readonly separator: string;
  /** Whether internal topics have the separator as well, or a dot whatever it is. */
  readonly hasSeparatorInside: boolean;
  readonly sourceAlias: string;
}

/** See the head of the file. */
export class Policy {
  readonly #settings: PolicySettings;
  readonly #inside: string;

  constructor(settings: PolicySettings) {
    this.#settings = settings;
    this.#inside = settings.hasSeparatorInside ? settings.separator : ".";
  }

  /** What a topic of the source is called in the target. */
  remote(topic: string): string {
    const { kind, sourceAlias, separator } = this.#settings;
    if (kind === "identity" && !topic.endsWith(HEARTBEATS)) return topic;
    return sourceAlias + separator + topic;
  }

  /** Which cluster a topic was copied from, by its name; null: none. */
  sourceOf(topic: string): string | null {
    const { kind, sourceAlias, separator } = this.#settings;
    if (kind === "identity" && !topic.endsWith(HEARTBEATS)) return sourceAlias;
    const end = topic.indexOf(separator);
    return end < 0 ? null : topic.slice(0, end);
  }

  /** What a copy is called where it was copied from; null: it is none. */
  upstream(topic: string): string | null {
    const { kind, separator } = this.#settings;
    if (kind === "identity" && !topic.endsWith(HEARTBEATS)) return topic;
    const end = topic.indexOf(separator);
    return end < 0 ? null : topic.slice(end + separator.length);
  }

  /** What it is called where records were first written to it. */
  original(topic: string): string {
    const upstream = this.upstream(topic);
    return upstream === null || upstream === topic ? topic : this.original(upstream);
  }

  isHeartbeats(topic: string): boolean {
    return this.original(topic) === HEARTBEATS;
  }

  /** Topics of brokers, of workers and of mirrors themselves. */
  isInternal(topic: string): boolean {
    return topic.startsWith("__") || topic.startsWith(".") || topic.endsWith("-internal") ||
      topic.endsWith(".internal") || topic.endsWith(`${this.#inside}internal`);
  }

  /** Whether a topic of the source has come from the target, by whatever way. */
  isCycle(topic: string, targetAlias: string): boolean {
    const source = this.sourceOf(topic);
    if (source === null) return false;
    if (source === targetAlias) return true;
    const upstream = this.upstream(topic);
    return upstream !== null && upstream !== topic && this.isCycle(upstream, targetAlias);
  }

  /** `alias` is that of the other cluster than the one where the topic lies. */
  offsetSyncs(alias: string): string {
    return `mm2-offset-syncs${this.#inside}${alias}${this.#inside}internal`;
  }

  /** In the target, of the groups of `alias`. */
  checkpoints(alias: string): string {
    return `${alias}${this.#inside}checkpoints${this.#inside}internal`;
  }
}
