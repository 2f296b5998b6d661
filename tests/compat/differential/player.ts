/** Plays the steps of an episode against one broker and notes every answer in comparable form. */
import { Connection, ConnectionError } from "../../../core/connection.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { Errors } from "../../../core/errors.ts";
import { listOffsets } from "../../../core/protocol/02-list-offsets.ts";
import { metadata } from "../../../core/protocol/03-metadata.ts";
import { listGroups } from "../../../core/protocol/16-list-groups.ts";
import { deleteTopics } from "../../../core/protocol/20-delete-topics.ts";
import { deleteGroups } from "../../../core/protocol/42-delete-groups.ts";
import { ProtocolError } from "../../../core/protocol/codec.ts";
import { Normaliser, type Plain } from "./normaliser.ts";
import { Facts, type Step } from "./step.ts";

/** What came of one step. */
export interface Answer {
  /** `later`: answered, but only after other steps. */
  readonly outcome: "answered" | "later" | "closed" | "never" | "cannot be encoded";
  readonly response: Plain;
  /** The sentences of the answer, which are not compared. */
  readonly messages: readonly string[];
}

/** After this an answer that may wait for later steps is taken to do so. */
const SOON_MS = 250;
/** Longer than any rebalance of an episode. */
const ANSWER_TIMEOUT_MS = 12_000;

/** Answers that come of the same event come within this. */
const TOGETHER_MS = 20;
const LEADER_TRIES = 100;
/** ListOffsets' number for the end of a log. */
const LATEST = -1n;

/** How long Kafka gets to pass a change of metadata on to the broker that has answered it. */
export type SettleMs = number;

/** One of the two brokers. */
export class Player {
  readonly #address: { readonly host: string; readonly port: number };

  private constructor(readonly bootstrap: string, readonly served: Connection["served"]) {
    this.#address = addressOf(bootstrap);
  }

  static async open(bootstrap: string): Promise<Player> {
    const connection = await connect(addressOf(bootstrap));
    const { served } = connection;
    connection.close();
    return new Player(bootstrap, served);
  }

  /** Plays the steps; names get the prefix. Leaves neither topics nor groups behind. */
  async play(
    steps: readonly Step[],
    cleanUp: readonly Step[],
    prefix: string,
    settleMs: SettleMs,
  ): Promise<Answer[]> {
    const episode = new Episode(this.#address, new Facts(prefix), settleMs);
    try {
      const answers: Promise<Answer>[] = [];
      for (const step of steps) answers.push((await episode.begin(step)).answer);
      const all = await Promise.all(answers);
      for (const step of cleanUp) await (await episode.begin(step)).answer;
      return all;
    } finally {
      episode.close();
      await this.#removeAll(prefix);
    }
  }

  async #removeAll(prefix: string): Promise<void> {
    const connection = await connect(this.#address);
    try {
      const { topics } = await connection.request(metadata, { topics: null });
      const names = topics.flatMap(({ name }) => name?.startsWith(prefix) ? [name] : []);
      if (names.length > 0) {
        const request = { topics: names.map((name) => ({ name })), timeoutMs: 10_000 };
        await connection.request(deleteTopics, request);
      }
      const { groups } = await connection.request(listGroups, {});
      const groupsNames = groups.map(({ groupId }) => groupId).filter((id) =>
        id.startsWith(prefix)
      );
      if (groupsNames.length > 0) await connection.request(deleteGroups, { groupsNames });
    } finally {
      connection.close();
    }
  }
}

function addressOf(bootstrap: string) {
  const [host = "", port] = bootstrap.split(":");
  return { host, port: Number(port) };
}

function connect(address: { readonly host: string; readonly port: number }): Promise<Connection> {
  const io = { clock: bunClock, network: bunNetwork };
  return Connection.open(io, address, { clientId: "c", requestTimeoutMs: ANSWER_TIMEOUT_MS });
}

/** The connections and facts of one episode. */
class Episode {
  readonly #connections = new Map<number, Connection>();
  /** Answers that are being waited for, by connection. */
  readonly #waiting = new Map<number, Promise<Answer>>();
  readonly #normaliser: Normaliser;

  constructor(
    readonly address: { readonly host: string; readonly port: number },
    readonly facts: Facts,
    readonly settleMs: SettleMs,
  ) {
    this.#normaliser = new Normaliser(facts);
  }

  /** Sends a step. Resolves once it is answered, or waits. */
  async begin(step: Step): Promise<{ readonly answer: Promise<Answer> }> {
    await this.#waiting.get(step.connection);
    let waited = false;
    const answer = this.#exchange(step, () => waited);
    if (!step.mayWait) {
      const before = this.facts.topicIds();
      await answer;
      const created = this.facts.topicIds().filter((id) => !before.includes(id));
      if (step.changesMetadata) await this.#settle(created);
      await this.#othersAnswered();
      return { answer };
    }
    this.#waiting.set(step.connection, answer);
    waited = await Promise.race([
      answer.then(() => false),
      Bun.sleep(SOON_MS + this.settleMs).then(() => true),
    ]);
    if (!waited) await this.#othersAnswered();
    return { answer };
  }

  /** What lets one request go on may let others; what they learn belongs into the next step. */
  async #othersAnswered(): Promise<void> {
    const others = Promise.all(this.#waiting.values());
    await Promise.race([others, Bun.sleep(TOGETHER_MS + this.settleMs)]);
  }

  /** Kafka answers before its broker knows and leads what was created. */
  async #settle(created: readonly string[]): Promise<void> {
    if (this.settleMs === 0) return;
    await Bun.sleep(this.settleMs);
    const connection = this.#connections.get(0);
    if (connection === undefined || connection.closed) return;
    for (let tries = 0; tries < LEADER_TRIES && created.length > 0; tries++) {
      const { topics } = await connection.request(metadata, { topics: null });
      const known = topics.filter(({ topicId }) => created.includes(topicId));
      const asked = known.map(({ name, partitions }) => ({
        name: name ?? "",
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, timestamp: LATEST })),
      }));
      const offsets = await connection.request(listOffsets, { replicaId: -1, topics: asked });
      const codes = offsets.topics.flatMap(({ partitions }) => partitions);
      const isLed = codes.every(({ errorCode }) => errorCode === Errors.NONE);
      if (isLed && known.length === created.length) return;
      await Bun.sleep(this.settleMs);
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  async #exchange(step: Step, waited: () => boolean): Promise<Answer> {
    let connection = this.#connections.get(step.connection);
    if (connection === undefined || connection.closed) {
      connection = await connect(this.address);
      this.#connections.set(step.connection, connection);
    }
    try {
      // The step was made for this API, so its request has the API's type.
      const response: unknown = await connection.request(
        step.api,
        step.request(this.facts) as Record<string, never>,
        { maxVersion: step.version },
      );
      step.learn(response, this.facts);
      const messages: string[] = [];
      const plain = this.#normaliser.plain(response, messages);
      return { outcome: waited() ? "later" : "answered", response: plain, messages };
    } catch (error) {
      if (error instanceof ProtocolError || error instanceof TypeError) {
        return { outcome: "cannot be encoded", response: error.message, messages: [] };
      }
      if (!(error instanceof ConnectionError)) throw error;
      const outcome = error.failure === "timeout" ? "never" : "closed";
      return { outcome, response: null, messages: [error.message] };
    }
  }
}
