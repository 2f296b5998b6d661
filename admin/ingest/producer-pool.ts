/**
 * Producers for bodies: each streams through one of its own, which is kept for the next for a while,
 * since a new one has to ask for a producer id and the topic first.
 */
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import { type BatchReport, Producer } from "../../client/producer.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import type { CompressionName } from "../../core/compression/codec.ts";
import type { Clock, Timer } from "../../core/io.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";

/** What producers are told apart by. */
export interface ProducerKind {
  readonly acks: 0 | 1 | "all";
  readonly compression: CompressionName;
  /** Whether a missing topic may be made. */
  readonly create: boolean;
}

/** Who makes them. */
export interface ProducerClient {
  readonly user: string;
  readonly io: ClientIo;
  readonly options: ClientOptions;
}

/** Bodies that are streamed at a time; more are refused. */
export const STREAMS_MAX = 32;
/** What a body may have under way, acknowledged not yet. */
const BUFFER_BYTES = 4 * 1024 * 1024;
/** Until a record that no broker acknowledges is given up. */
const DELIVERY_TIMEOUT_MS = 30_000;
const KEPT_MAX = 8;
const KEPT_MS = 30_000;

const pools = new WeakMap<AdminServices, ProducerPool>();

/** The pool of this server. */
export function poolOf(services: AdminServices): ProducerPool {
  const known = pools.get(services);
  if (known !== undefined) return known;
  const pool = new ProducerPool(services.broker.io.clock);
  pools.set(services, pool);
  services.broker.stopping.addEventListener("abort", () => pool.close(), { once: true });
  return pool;
}

/** A producer in use by one body. */
export class LeasedProducer {
  readonly producer: Producer;
  onBatch: ((report: BatchReport) => void) | null = null;
  /** How many records each partition has had, by topic. */
  readonly #counts = new Map<string, number[]>();

  constructor(client: ProducerClient, kind: ProducerKind, readonly key: string) {
    const { create, ...rest } = kind;
    this.producer = new Producer(client.io, {
      ...client.options,
      ...rest,
      codecs: bunCodecs,
      allowCreate: create,
      bufferBytes: BUFFER_BYTES,
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
      onBatch: (report) => {
        const counts = this.countsOf(report.topic);
        counts[report.partition] = (counts[report.partition] ?? 0) + report.recordCount;
        this.onBatch?.(report);
      },
    });
  }

  /** Records of the topic's partitions that are settled. */
  countsOf(topic: string): number[] {
    let counts = this.#counts.get(topic);
    if (counts === undefined) this.#counts.set(topic, counts = []);
    return counts;
  }
}

/** See the head of the file. */
export class ProducerPool {
  #inUse = 0;
  readonly #kept: { readonly leased: LeasedProducer; readonly sinceMs: number }[] = [];
  #timer: Timer | null = null;

  constructor(readonly clock: Clock) {}

  /** One that nobody else uses. Throws a `Problem` if there are too many. */
  lease(client: ProducerClient, kind: ProducerKind): LeasedProducer {
    if (this.#inUse >= STREAMS_MAX) {
      throw new Problem(
        503,
        "busy",
        `${STREAMS_MAX} bodies are being written already: try again later`,
      );
    }
    this.#inUse++;
    const key = JSON.stringify([client.user, kind.acks, kind.compression, kind.create]);
    const found = this.#kept.findLastIndex(({ leased }) => leased.key === key);
    const [kept] = found < 0 ? [] : this.#kept.splice(found, 1);
    return kept?.leased ?? new LeasedProducer(client, kind, key);
  }

  /** Gives it back; `isGood`: all that it was given is acknowledged. */
  async release(leased: LeasedProducer, isGood: boolean): Promise<void> {
    this.#inUse--;
    leased.onBatch = null;
    if (!isGood) return leased.producer.abort(new Error("the request has ended"));
    this.#kept.push({ leased, sinceMs: this.clock.monotonicMs() });
    const surplus = this.#kept.length > KEPT_MAX ? this.#kept.shift() : undefined;
    this.#watch();
    await surplus?.leased.producer.close();
  }

  /** Closes those that wait. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const { leased } of this.#kept.splice(0)) leased.producer.abort(new Error("closed"));
  }

  #watch(): void {
    this.#timer ??= this.clock.setTimer(KEPT_MS, () => {
      this.#timer = null;
      const nowMs = this.clock.monotonicMs();
      while (this.#kept[0] !== undefined && this.#kept[0].sinceMs + KEPT_MS <= nowMs) {
        this.#kept.shift()?.leased.producer.abort(new Error("not used any more"));
      }
      if (this.#kept.length > 0) this.#watch();
    });
  }
}
