/**
 * Holds replicas that are not in sync to a rate, so that moves of partitions leave room for clients
 * (KIP-73; Kafka's `ReplicationQuotaManager`). Which replicas: `leader.replication.throttled.replicas` and
 * `follower.…` of their topics; the rate: a dynamic config of the broker, in bytes per second.
 */
import type { MetadataImage, TopicImage } from "../../cluster/metadata-image.ts";
import { ALL_BROKERS } from "../../cluster/metadata-image.ts";
import type { Clock } from "../../core/io.ts";
import type { DescribedConfig } from "../config/describe.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import { type QuotaWindows, WindowedRate } from "./rate.ts";

/** Which end of replication is held to the rate. */
export type ReplicationRole = "leader" | "follower";

/** What it is built from. */
export interface ReplicationQuotaOptions {
  readonly clock: Clock;
  readonly metadata: MetadataCache;
  readonly role: ReplicationRole;
  /** `replication.quota.window.num`, `replication.quota.window.size.seconds`. */
  readonly windows: QuotaWindows;
}

/** Names of the rates. */
const RATES = ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];
/** The longest wait before it is looked again. */
const WAIT_MS_MAX = 1000;

/** See the head of this file. It follows the metadata. */
export class ReplicationQuota {
  readonly #options: ReplicationQuotaOptions;
  readonly #rate: WindowedRate;
  readonly #throttled = new WeakMap<TopicImage, (index: number) => boolean>();
  #bytesPerSecond: number;

  constructor(options: ReplicationQuotaOptions) {
    this.#options = options;
    this.#rate = new WindowedRate(options.windows);
    this.#bytesPerSecond = this.#configured();
    options.metadata.onChange(({ brokerConfigsChanged }) => {
      if (brokerConfigsChanged) this.#bytesPerSecond = this.#configured();
    });
  }

  /** Whether the replica that this broker has of the partition is held to a rate. */
  binds(topicId: string, index: number): boolean {
    if (this.#bytesPerSecond === Infinity) return false;
    const topic = this.#options.metadata.topicById(topicId);
    if (topic === undefined) return false;
    let isThrottled = this.#throttled.get(topic);
    if (isThrottled === undefined) {
      this.#throttled.set(topic, isThrottled = this.#replicasOf(topic));
    }
    return isThrottled(index);
  }

  /** Notes what was replicated of a partition that it binds. */
  record(bytes: number): void {
    this.#rate.record(bytes, this.#options.clock.monotonicMs());
  }

  /** How long to wait before there may be more; 0: none. */
  waitMs(): number {
    const waitMs = this.#rate.throttleMs(this.#bytesPerSecond, this.#options.clock.monotonicMs());
    return Math.min(waitMs, WAIT_MS_MAX);
  }

  #configured(): number {
    const { metadata: { image, nodeId }, role } = this.#options;
    const name = `${role}.replication.throttled.rate`;
    const text = image.brokerConfigs(String(nodeId)).get(name) ??
      image.brokerConfigs(ALL_BROKERS).get(name);
    return text === undefined ? Infinity : Number(text);
  }

  #replicasOf(topic: TopicImage): (index: number) => boolean {
    const { metadata, role } = this.#options;
    const replicas = metadata.topicConfig(topic).get(`${role}.replication.throttled.replicas`);
    if (replicas.includes("*")) return () => true;
    return (index) => replicas.includes(`${index}:${metadata.nodeId}`);
  }
}

/**
 * The rates that are set, for DescribeConfigs: Kafka lists what only a running broker has once it is set.
 * `resource` is a broker's id in decimal, or `ALL_BROKERS`.
 */
export function describeRates(image: MetadataImage, resource: string): DescribedConfig[] {
  return RATES.flatMap((name): DescribedConfig[] => {
    const sources = [
      ...resource === ALL_BROKERS ? [] : [["DYNAMIC_BROKER_CONFIG", resource] as const],
      ["DYNAMIC_DEFAULT_BROKER_CONFIG", ALL_BROKERS] as const,
    ];
    const synonyms = sources.flatMap(([source, of]) => {
      const text = image.brokerConfigs(of).get(name);
      return text === undefined ? [] : [{ name, source, text }];
    });
    const [first] = synonyms;
    if (first === undefined) return [];
    const { source, text: value } = first;
    return [{ name, value, source, synonyms, type: "LONG", readOnly: false, isSensitive: false }];
  });
}

/** What is wrong with the rate of a quota, which only a running broker has; null if it is none or good. */
export function replicationRateProblem(name: string, text: string): string | null | undefined {
  if (!RATES.includes(name)) return undefined;
  return /^\d{1,19}$/.test(text.trim())
    ? null
    : `Invalid value ${text} for configuration ${name}: Value must be at least 0`;
}
