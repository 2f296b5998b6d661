/**
 * Clients in transactions: writers append to several lists at once, chains read lists and write what
 * they make of them with their offsets, as members of groups that come and go with every trouble, and
 * readers (read_committed) read all. Judged by `lists-history.ts` and by Porcupine.
 */
import {
  Consumer,
  type ConsumerOptions,
  type GroupProtocol,
  Producer,
  stringSerde,
} from "../../client/index.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { createTopic } from "./cluster-topic.ts";
import { linearizabilityProblem } from "./history.ts";
import { chained, chainProblems, type ListOperation, listProblems } from "./lists-history.ts";
import type { ClusterScene } from "./scene.ts";
import type { Work } from "./stage.ts";
import { REQUEST_TIMEOUT_MS, Strands, until } from "./strands.ts";
import { type Addition, listName, TransactionWriter } from "./transaction-writer.ts";

const LISTS = 4;
const WRITERS = 4;
const READERS = 2;
/** Values of a transaction. */
const VALUES_MAX = 4;
const ABORT_PART = 0.2;
const PAUSE_MS = 20;
/** Each with a topic of its own for what it makes. */
const CHAINS: readonly GroupProtocol[] = ["classic", "consumer"];
const CHAIN_WORKERS = 2;
const CHAIN_BATCH = 50;
const CHAIN_SESSION_MS = 6000;
/** How long all may take to come to its end, once all is well again. */
const END_MS = 120_000;
/** Values that tell a chain, and then readers, that a list is at its end. */
const [LAST, OVER] = ["last", "over"];

/** Prepares the clients; see the head of the file. */
export async function listsWork(scene: ClusterScene, topic: string): Promise<Work> {
  const outputs = CHAINS.map((protocol) => `${topic}-${protocol}`);
  for (const each of [topic, ...outputs]) await createTopic(scene, each, LISTS);
  return new ListsWorkload(scene.bootstrap, topic, outputs);
}

class ListsWorkload implements Work {
  readonly #history: ListOperation[] = [];
  readonly #strands = new Strands(WRITERS + CHAINS.length);
  readonly #writing = new AbortController();
  readonly #chaining = new AbortController();
  readonly #reading = new AbortController();
  readonly #writers: Promise<void>[] = [];
  readonly #chains: Promise<void>[] = [];
  readonly #readers: Promise<void>[] = [];
  /** By reader and list, the last value that it saw. */
  readonly #lastSeen = new Map<string, string>();
  /** Their process numbers. */
  readonly #readersAt: number[] = [];
  #processes = 0;

  constructor(
    readonly brokers: readonly string[],
    readonly input: string,
    readonly outputs: readonly string[],
  ) {}

  get acknowledged(): readonly number[] {
    return this.#strands.counts;
  }

  get longestPauseMs(): number {
    return this.#strands.longestPauseMs;
  }

  measurePause(): void {
    this.#strands.measurePause();
  }

  start(): void {
    for (let writer = 0; writer < WRITERS; writer++) this.#writers.push(this.#write(writer));
    for (const [chain, protocol] of CHAINS.entries()) {
      for (let worker = 0; worker < CHAIN_WORKERS; worker++) {
        this.#chains.push(this.#chain(chain, protocol, worker));
      }
    }
    for (let reader = 0; reader < READERS; reader++) this.#readers.push(this.#read());
  }

  async finish(keep: (history: readonly object[]) => void): Promise<string> {
    keep(this.#history);
    this.#writing.abort();
    await Promise.all(this.#writers);
    await this.#appendPlainly(this.#inputs, LAST);
    await this.#sawEverywhere(this.#made, (value) => value.startsWith(`${LAST}@`));
    this.#chaining.abort();
    await Promise.all(this.#chains);
    await this.#appendPlainly(this.#lists, OVER);
    this.#readers.push(this.#read());
    await this.#sawEverywhere(this.#lists, (value) => value === OVER);
    this.#reading.abort();
    await Promise.all(this.#readers);
    this.#count();
    return await this.#verdict();
  }

  get #inputs(): { topic: string; partition: number }[] {
    return listsOf(this.input);
  }

  get #made(): { topic: string; partition: number }[] {
    return this.outputs.flatMap(listsOf);
  }

  get #lists(): { topic: string; partition: number }[] {
    return [...this.#inputs, ...this.#made];
  }

  async #verdict(): Promise<string> {
    const history = this.#history;
    const problems = listProblems(history);
    for (const output of this.outputs) {
      for (const { partition } of this.#inputs) {
        const [from, to] = [listName(this.input, partition), listName(output, partition)];
        problems.push(...chainProblems(history, from, to));
      }
    }
    if (problems.length > 0) throw new Error(problems.join("\n"));
    const verdict = await linearizabilityProblem(history, "lists");
    if (verdict !== null) throw new Error(`Porcupine: ${verdict}`);
    const ends = history.filter((each) => each.type === "end");
    const count = (outcome: string) => ends.filter((each) => each.outcome === outcome).length;
    return `${count("committed")} transactions committed, ${count("aborted")} aborted, ` +
      `${count("unknown")} unknown`;
  }

  async #write(index: number): Promise<void> {
    const writer = this.#writer(`writer-${index}`);
    for (let count = 0; !this.#writing.signal.aborted; count++) {
      const additions = Array.from({ length: 1 + below(VALUES_MAX) }, (_, at): Addition => ({
        topic: this.input,
        partition: below(LISTS),
        value: `${index}-${count}-${at}`,
      }));
      const outcome = await writer.run(additions, { aborts: Math.random() < ABORT_PART });
      if (outcome === "committed") this.#strands.acknowledged(index);
      await Bun.sleep(PAUSE_MS);
    }
    await writer.close();
  }

  /** A member of a chain: each error ends the consumer, and another one goes on. */
  async #chain(chain: number, protocol: GroupProtocol, worker: number): Promise<void> {
    const { signal } = this.#chaining;
    const writer = this.#writer(`${protocol}-${worker}`);
    const topic = this.outputs[chain]!;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const consumer = this.#consumer(`${topic}-${worker}`, {
        groupId: topic,
        groupProtocol: protocol,
        sessionTimeoutMs: CHAIN_SESSION_MS,
        // A partition has one worker, however long it takes.
        revokePatienceMs: END_MS,
      });
      consumer.subscribe([this.input]);
      await consumer.run({
        eachBatch: async ({ partition, records, leaderEpoch }) => {
          // As whom it was given them, whatever comes meanwhile.
          const group = consumer.groupMetadata();
          const last = records.at(-1);
          if (group === null || last === undefined) return;
          const additions = records.map(({ offset, value }): Addition => ({
            topic,
            partition,
            value: chained(value ?? "", `${worker}.${attempt}.${offset}`),
          }));
          const offsets = [{ topic: this.input, partition, offset: last.offset + 1n, leaderEpoch }];
          const outcome = await writer.run(additions, { offsets, group });
          if (outcome !== "committed") throw new Error(`a transaction is ${outcome}`);
          this.#strands.acknowledged(WRITERS + chain);
        },
      }, { batchRecords: CHAIN_BATCH, signal }).catch(() => {});
      await consumer.close().catch(() => {});
    }
    await writer.close();
  }

  /** Reads all lists from their beginning on. */
  async #read(): Promise<void> {
    const process = this.#processes++;
    this.#readersAt.push(process);
    const { signal } = this.#reading;
    const consumer = this.#consumer(`reader-${process}`);
    const after = new Map<string, number>();
    try {
      await consumer.assign(this.#lists.map((each) => ({ ...each, offset: 0n })));
      let callNs = Bun.nanoseconds();
      for await (const { topic, partition, offset, value } of consumer.records({ signal })) {
        const list = listName(topic, partition);
        const at = { offset: Number(offset), after: after.get(list) ?? -1 };
        const returnNs = Bun.nanoseconds();
        this.#history.push({
          ...{ type: "read", process, list, value: value ?? "" },
          ...at,
          ...{ callNs, returnNs },
        });
        after.set(list, at.offset);
        this.#lastSeen.set(`${process} ${list}`, value ?? "");
        callNs = Bun.nanoseconds();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await consumer.close();
    }
  }

  /** Waits until all readers have seen such a value as the last in each of the lists. */
  async #sawEverywhere(
    lists: readonly { topic: string; partition: number }[],
    isIt: (value: string) => boolean,
  ): Promise<void> {
    const readers = this.#readersAt;
    const missing = () =>
      lists.flatMap(({ topic, partition }) =>
        readers.map((process) => `${process} ${listName(topic, partition)}`)
      ).filter((key) => !isIt(this.#lastSeen.get(key) ?? ""));
    const what = () =>
      missing().map((key) => `reader ${key} at its end, it is at ${this.#lastSeen.get(key)}`);
    await until(() => what().join(", "), END_MS, () => missing().length === 0);
  }

  /** Appends to each list outside of transactions. */
  async #appendPlainly(
    lists: readonly { topic: string; partition: number }[],
    value: string,
  ): Promise<void> {
    const producer = new Producer<Uint8Array, string>(bunIo(), {
      ...this.#client("plain"),
      value: stringSerde,
    });
    const process = this.#processes++;
    await Promise.all(lists.map(async ({ topic, partition }) => {
      const callNs = Bun.nanoseconds();
      const { offset } = await producer.send({ topic, partition, value });
      const list = listName(topic, partition);
      const known = offset < 0n ? null : Number(offset);
      const asked = { type: "append", process, list, value, transaction: null, callNs } as const;
      this.#history.push({ ...asked, offset: known, returnNs: Bun.nanoseconds() });
    }));
    await producer.close();
  }

  /** What the last reader, which began when all had ended, has found. */
  #count(): void {
    const process = this.#processes++;
    const reader = this.#readersAt.at(-1);
    for (const { topic, partition } of this.#lists) {
      const list = listName(topic, partition);
      const found = this.#history.filter((each) =>
        each.type === "read" && each.process === reader && each.list === list
      );
      const callNs = Bun.nanoseconds();
      const final = { type: "final", process, list, count: found.length, callNs } as const;
      this.#history.push({ ...final, returnNs: Bun.nanoseconds() });
    }
  }

  #writer(name: string): TransactionWriter {
    const id = `${this.input}-${name}`;
    return new TransactionWriter(this.brokers, id, this.#processes++, this.#history);
  }

  #client(clientId: string) {
    return { brokers: this.brokers, clientId, requestTimeoutMs: REQUEST_TIMEOUT_MS };
  }

  #consumer(clientId: string, group: Partial<ConsumerOptions> = {}) {
    return new Consumer<Uint8Array, string>(bunIo(), {
      ...this.#client(clientId),
      isolationLevel: "read_committed",
      ...group,
      value: stringSerde,
    });
  }
}

/** All lists of a topic. */
function listsOf(topic: string): { topic: string; partition: number }[] {
  return Array.from({ length: LISTS }, (_, partition) => ({ topic, partition }));
}

const below = (bound: number) => Math.floor(Math.random() * bound);
