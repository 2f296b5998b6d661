/** All that one answer shows, read once: the families only print it. */
import type { Broker } from "../../broker/broker.ts";
import type { ListenerMetrics } from "../../broker/metrics/network-metrics.ts";
import { type ClusterState, clusterState } from "./cluster-state.ts";
import { GroupLags, type GroupsState } from "./group-lag.ts";
import { type ProcessState, processState } from "../../core/io/process-state.ts";
import { RemoteEnds } from "./remote-ends.ts";
import { sumTopics, TopicsMemory, type TopicsSums } from "./topics.ts";

/** See the head of the file. */
export interface Scrape {
  readonly broker: Broker;
  readonly version: string;
  readonly startedMs: number;
  readonly topics: TopicsSums;
  readonly cluster: ClusterState;
  readonly groups: GroupsState;
  readonly listeners: readonly ListenerMetrics[];
  readonly process: ProcessState;
  /** Clients by `name`, tab and `version` of their software. */
  readonly software: ReadonlyMap<string, number>;
  readonly scrapes: ScrapeCounts;
}

/** Of the answers that were given before this one. */
export interface ScrapeCounts {
  count: number;
  /** How long they took to gather, milliseconds. */
  totalMs: number;
}

/** Versions of clients' software that are shown; further ones count as `other`. */
const SOFTWARE_MAX = 50;

const scrapers = new WeakMap<Broker, Scraper>();

/** The one of a broker: who asks for its metrics, and who is sent them, share what it remembers. */
export function scraperOf(broker: Broker, version: string): Scraper {
  let scraper = scrapers.get(broker);
  if (scraper === undefined) scrapers.set(broker, scraper = new Scraper(broker, version));
  return scraper;
}

/** Reads the state of one broker, again and again. */
class Scraper {
  readonly #lags: GroupLags;
  readonly #ends: RemoteEnds;
  readonly #memory = new TopicsMemory();
  readonly #startedMs: number;
  readonly #scrapes: ScrapeCounts = { count: 0, totalMs: 0 };

  constructor(private readonly broker: Broker, private readonly version: string) {
    this.#lags = new GroupLags(broker);
    this.#ends = new RemoteEnds(broker);
    broker.metrics.process.start(broker.io.clock, broker.stopping);
    this.#startedMs = broker.io.clock.wallMs() - processState().uptimeSeconds * 1000;
  }

  /** Everything as it is now; `withPartitions`: each partition of each group, too. */
  async scrape(withPartitions = false): Promise<Scrape> {
    const { broker } = this;
    const startMs = broker.io.clock.monotonicMs();
    const { config } = broker;
    await this.#ends.refresh();
    const groups = await this.#lags.look(
      config.get("kstream.metrics.groups.max"),
      (topic, partition) => this.#ends.end(topic, partition),
      withPartitions,
    );
    const listeners = broker.metrics.network.listeners();
    const scrape = {
      broker,
      version: this.version,
      startedMs: this.#startedMs,
      topics: sumTopics(broker, this.#memory, config.get("kstream.metrics.topics.max")),
      cluster: clusterState(broker),
      groups,
      listeners,
      process: processState(),
      software: softwareOf(broker),
      scrapes: { ...this.#scrapes },
    };
    this.#scrapes.count++;
    this.#scrapes.totalMs += broker.io.clock.monotonicMs() - startMs;
    return scrape;
  }
}

function softwareOf({ metrics }: Broker): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { connections } of metrics.network.servers) {
    for (const { clientSoftware } of connections) {
      const own = `${clientSoftware?.name ?? "unknown"}\t${clientSoftware?.version ?? "unknown"}`;
      const key = counts.has(own) || counts.size < SOFTWARE_MAX ? own : "other\tother";
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}
