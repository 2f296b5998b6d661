/**
 * Who administers the simulated cluster: makes and deletes topics, moves partitions to other brokers,
 * elects preferred leaders, one thing after the other.
 */
import { Admin } from "../../client/admin.ts";
import { removeBroker } from "../../client/admin/reassignments.ts";
import { Errors } from "../../core/errors.ts";
import { electLeaders } from "../../core/protocol/43-elect-leaders.ts";
import { alterPartitionReassignments } from "../../core/protocol/45-alter-partition-reassignments.ts";
import { Client, type ClientOptions } from "./cluster-clients.ts";

const TIMEOUT_MS = 10_000;
const TOPICS_MAX = 5;
/** Who waits for longer may ask somebody else as well. */
const ASKED_ONCE_MS = 500;
/** Nothing would go on for members that come and go. */
const REMOVE_PERCENT = 20;

/** What may be asked for, as often as it is named. `remove`: a broker is unregistered, and comes back. */
export type OperatorTask = "topic" | "reassign" | "elect" | "cancel" | "remove";

/** See the head of the file. */
export class Operator extends Client {
  #topics = 0;
  /** Topics that may have been asked for twice: the other request may still come, once they are gone. */
  readonly #askedTwice = new Set<string>();

  constructor(
    options: ClientOptions,
    readonly tasks: readonly OperatorTask[],
    readonly brokerIds: readonly number[],
    readonly replicationFactor: number,
  ) {
    super(options);
  }

  protected override async live(): Promise<void> {
    const { io, brokers, random } = this.options;
    const admin = new Admin(io, { brokers, connectTimeoutMs: 3000, requestTimeoutMs: 5000 });
    try {
      while (!this.isStopped) {
        await this.pause();
        switch (random.pick(this.tasks)) {
          case "topic":
            await this.#topic(admin);
            break;
          case "reassign":
            await this.#reassign(admin, this.#shuffled().slice(0, this.replicationFactor));
            break;
          case "cancel":
            await this.#reassign(admin, null);
            break;
          case "remove":
            await this.#remove(admin);
            break;
          case "elect":
            await this.#elect(admin);
        }
      }
    } finally {
      admin.close();
    }
  }

  /** One more topic, or one less. */
  async #topic(admin: Admin): Promise<void> {
    const { history, io, random } = this.options;
    const there = [...history.topics].filter(([, state]) => state === "there").map(([name]) =>
      name
    );
    const options = { timeoutMs: TIMEOUT_MS };
    if (there.length > TOPICS_MAX || (there.length > 0 && random.chance(30))) {
      const name = random.pick(there);
      history.topics.set(name, "unknown");
      const [deleted] = await admin.deleteTopics([name], options);
      const code = deleted?.error?.code ?? Errors.NONE;
      // Where the answer to the first try was lost, the second finds nothing.
      const isGone = code === Errors.NONE || code === Errors.UNKNOWN_TOPIC_OR_PARTITION;
      if (isGone && !this.#askedTwice.has(name)) history.topics.set(name, "gone");
      return;
    }
    const name = `made-${++this.#topics}`;
    history.topics.set(name, "unknown");
    const topic = { name, partitions: random.between(1, 3) };
    const askedMs = io.clock.monotonicMs();
    const [made] = await admin.createTopics([{ ...topic, replicationFactor: -1 }], options);
    if (io.clock.monotonicMs() - askedMs > ASKED_ONCE_MS) this.#askedTwice.add(name);
    const code = made?.error?.code ?? Errors.NONE;
    const isThere = code === Errors.NONE || code === Errors.TOPIC_ALREADY_EXISTS;
    if (isThere) history.topics.set(name, "there");
  }

  /** Moves one partition to other brokers, or (null) lets it stay where it was. */
  async #reassign(admin: Admin, replicas: readonly number[] | null): Promise<void> {
    const { topic } = this.options;
    const partitionIndex = this.pickPartition();
    this.note(`${topic}-${partitionIndex} is to be on ${replicas?.join() ?? "where it was"}`);
    const connection = await admin.cluster.controller();
    const response = await connection.request(alterPartitionReassignments, {
      timeoutMs: TIMEOUT_MS,
      topics: [{ name: topic, partitions: [{ partitionIndex, replicas }] }],
    }, { timeoutMs: TIMEOUT_MS });
    this.note(`reassignment: ${JSON.stringify(response)}`);
  }

  async #remove(admin: Admin): Promise<void> {
    const { random } = this.options;
    if (!random.chance(REMOVE_PERCENT)) return;
    const id = random.pick(this.brokerIds);
    this.note(`broker ${id} is unregistered`);
    await removeBroker(admin.cluster, id, { timeoutMs: TIMEOUT_MS });
  }

  async #elect(admin: Admin): Promise<void> {
    const { topic } = this.options;
    const connection = await admin.cluster.controller();
    await connection.request(electLeaders, {
      electionType: 0,
      topicPartitions: [{ topic, partitions: [this.pickPartition()] }],
      timeoutMs: TIMEOUT_MS,
    }, { timeoutMs: TIMEOUT_MS });
  }

  #shuffled(): number[] {
    const ids = [...this.brokerIds];
    for (let at = ids.length - 1; at > 0; at--) {
      const other = this.options.random.below(at + 1);
      [ids[at], ids[other]] = [ids[other]!, ids[at]!];
    }
    return ids;
  }
}
