/**
 * Clients that work with coordinators of all kinds on a simulated cluster in fair weather: transactions,
 * a group that reads them, a share group. What happens to the brokers meanwhile is up to each story.
 */
import { expect } from "bun:test";
// What is loaded later does not come on virtual time.
import "../../broker/cluster/member.ts";
import "../../broker/handlers/cluster-handlers.ts";
import { Consumer } from "../../client/consumer.ts";
import { KafkaError, TimeoutError } from "../../client/errors.ts";
import { Producer } from "../../client/producer.ts";
import { ShareConsumer } from "../../client/share-consumer.ts";
import { ConnectionError } from "../../core/connection.ts";
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { type ClusterSimOptions, drawClusterOptions } from "./cluster-options.ts";
import { ClusterWorld } from "./cluster-world.ts";
import { NO_ETCD_FAULTS } from "./sim-etcd.ts";
import { FAIR } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

const PARTITIONS = 3;
/** What clients of the story use: their topics, and those of coordinators. */
const TOPICS = [
  "lists",
  "shared",
  "__consumer_offsets",
  "__transaction_state",
  "__share_group_state",
];
export const SESSION_MS = 9000;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined);

/** A transaction is the number that all partitions get. */
export class Story extends ClusterWorld {
  /** Numbers of transactions, as their producer knows them. */
  readonly committed: number[] = [];
  readonly aborted: number[] = [];
  /** What readers of what is committed got of them, by partition. */
  readonly seen: number[][] = Array.from({ length: PARTITIONS }, () => []);
  /** Records that share consumers got, and of those the ones whose acknowledgement was taken. */
  readonly got = new Set<string>();
  readonly shared = new Set<string>();
  readonly sent: string[] = [];
  readonly wrongs: string[] = [];
  readonly #stop = new AbortController();
  #isOver = false;

  readonly #working: Promise<void>[] = [];

  /** The first `begins` of the brokers start, and host the topics with as many replicas. */
  constructor(begins: number, more: Partial<ClusterSimOptions> = {}) {
    const fixed: Partial<ClusterSimOptions> = {
      ...{ brokers: 3, replicationFactor: 3, minInsync: 2, durability: "fsync" },
      ...{ sessionMs: SESSION_MS, leaseTtlMs: 6000, restartMs: 500, driftPercent: 0 },
      ...{ weather: FAIR, etcdFaults: NO_ETCD_FAULTS },
    };
    super(11, { ...drawClusterOptions(new SimRandom(11)), ...fixed, ...more }, silentLogger);
    for (const node of this.nodes.slice(begins)) node.isHeldDown = true;
    for (const node of this.nodes) node.start();
    this.until("brokers", 10_000, () => this.areUp());
    const admin = this.admin();
    const topic = { partitions: PARTITIONS, replicationFactor: begins };
    const topics = ["lists", "shared"].map((name) => ({ name, ...topic }));
    this.wait("topics", 10_000, admin.createTopics(topics));
    const reset = { name: "share.auto.offset.reset", operation: "set", value: "earliest" } as const;
    const group = { type: "group", name: "sharers" } as const;
    this.wait("a config", 10_000, admin.incrementalAlterConfigs(group, [reset]));
    admin.close();
  }

  /** All clients begin, and get somewhere. */
  begin(): void {
    const works = [
      this.#transact(),
      this.#read(),
      this.#send(),
      this.#share("first"),
      this.#share("second"),
    ];
    for (const work of works) work.catch((error: unknown) => this.failed(error));
    this.#working.push(...works);
    this.until("work", 60_000, () => this.#isGoing(10));
  }

  /** Transactions are committed and records shared, from now on, within `limitMs`. */
  goOn(what: string, limitMs: number): void {
    const [committed, shared] = [this.committed.length, this.shared.size];
    const goesOn = () => this.committed.length > committed + 3 && this.shared.size > shared + 3;
    this.until(what, limitMs, goesOn);
  }

  /** Every partition of the story has so many replicas, all in the ISR. */
  whole(replicas: number): void {
    const isWhole = () =>
      this.areUp() &&
      this.nodes.every(({ running, isHeldDown }) =>
        isHeldDown ||
        TOPICS.every((name) => {
          const topic = running?.broker.metadata.image.topics.get(name);
          return topic?.partitions.every(({ isr, adding = [], removing = [] }) =>
            isr.length === replicas && adding.length + removing.length === 0
          ) === true;
        })
      );
    this.until("whole ISRs", 60_000, isWhole);
  }

  /** The clients end, and nothing may be missing, there twice or there in part. */
  end(): void {
    this.#isOver = true;
    this.until("the end of the shared records", 60_000, () => this.got.size >= this.sent.length);
    this.advance(5000);
    this.#stop.abort();
    this.wait("the ends of clients", 60_000, Promise.all(this.#working));
    const expected = this.committed.toSorted((a, b) => a - b);
    for (const seen of this.seen) {
      const once = [...new Set(seen)];
      for (const number of this.aborted) expect(seen).not.toContain(number);
      expect(once.filter((number) => expected.includes(number)).toSorted((a, b) => a - b))
        .toEqual(expected);
      expect(new Set(once)).toEqual(new Set(this.seen[0]));
    }
    expect(this.wrongs).toEqual([]);
  }

  /** All that are to run do. */
  areUp(): boolean {
    return this.nodes.every(({ state, isHeldDown }) => isHeldDown || state === "up");
  }

  #isGoing(count: number): boolean {
    return this.committed.length > count && this.shared.size > count &&
      this.seen[0]!.length > count;
  }

  get #client() {
    return { brokers: this.brokers };
  }

  async #transact(): Promise<void> {
    const io = this.clientIo();
    let number = 0;
    while (!this.#isOver) {
      const producer = new Producer(io, { ...this.#client, transactionalId: "lists" });
      const { transactions } = producer;
      try {
        await transactions.init();
        while (!this.#isOver) {
          transactions.begin();
          const value = encode(String(++number));
          await Promise.all(
            this.seen.map((_, partition) => producer.send({ topic: "lists", partition, value })),
          );
          if (number % 5 === 0) {
            await transactions.abort();
            this.aborted.push(number);
          } else {
            await transactions.commit();
            this.committed.push(number);
          }
          await sleep(io.clock, 50);
        }
      } catch (error) {
        rethrowBug(error);
      }
      await producer.close().catch(rethrowBug);
    }
  }

  async #read(): Promise<void> {
    const consumer = new Consumer(this.clientIo(), {
      ...this.#client,
      groupId: "readers",
      isolationLevel: "read_committed",
      autoOffsetReset: "earliest",
    });
    consumer.subscribe(["lists"]);
    const { signal } = this.#stop;
    try {
      for await (const { partition, value } of consumer.records({ signal })) {
        this.seen[partition]!.push(Number(decode(value)));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    await consumer.close();
  }

  async #send(): Promise<void> {
    const io = this.clientIo();
    const producer = new Producer(io, this.#client);
    for (let number = 0; !this.#isOver; number++) {
      const value = String(number);
      const partition = number % PARTITIONS;
      await producer.send({ topic: "shared", partition, value: encode(value) });
      this.sent.push(value);
      await sleep(io.clock, 50);
    }
    await producer.close();
  }

  async #share(clientId: string): Promise<void> {
    const consumer = new ShareConsumer(this.clientIo(), {
      ...this.#client,
      clientId,
      groupId: "sharers",
      acknowledgement: "explicit",
    });
    consumer.subscribe(["shared"]);
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const record = await consumer.next(signal);
        if (record === null) break;
        const value = decode(record.value);
        this.got.add(value);
        if (this.shared.has(value)) this.wrongs.push(`${value} comes again`);
        if (!consumer.acknowledgeIfHeld(record)) continue;
        const failures = await consumer.commit(signal);
        if (!failures.some(({ offsets }) => offsets.includes(Number(record.offset)))) {
          this.shared.add(value);
        }
      } catch (error) {
        if (!signal.aborted) rethrowBug(error);
      }
    }
    await consumer.close();
  }
}

function rethrowBug(error: unknown): void {
  const isPassing = error instanceof KafkaError || error instanceof TimeoutError ||
    error instanceof ConnectionError;
  if (!isPassing) throw error;
}
