/**
 * `bun tests/stream/kill-streams.ts [--on kstream|cluster|apache] [--kills 50] [--records 1000000]
 * [--members 3] [--churn] [--static] [--snapshots] [--standbys 1] [--guarantee at_least_once] [--seed n]
 * [--set name=value]…`: members of an application and brokers are killed (kill -9) again and again while records come in; with `--churn`
 * members are also added, removed and replaced; with `--snapshots` those that are killed often lose their
 * disk, and begin with snapshots. In the end every count follows the one before it, each
 * window has its records, each record was joined once, and nothing else is there. With
 * at_least_once nothing is missing.
 */
import { parseArgs } from "node:util";
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { APPLICATION_ID, nameRecords, OUTPUTS, PARTITIONS, recordsOf, TOPICS } from "./kill/app.ts";
import { BROKER_KINDS, type Brokers, needFor, startBrokers } from "./kill/brokers.ts";
import { Ledger } from "./kill/ledger.ts";
import { Members } from "./kill/members.ts";

const { values } = parseArgs({
  options: {
    on: { type: "string", default: "kstream" },
    kills: { type: "string", default: "50" },
    records: { type: "string", default: "1000000" },
    members: { type: "string", default: "3" },
    churn: { type: "boolean", default: false },
    static: { type: "boolean", default: false },
    snapshots: { type: "boolean", default: false },
    standbys: { type: "string", default: "0" },
    set: { type: "string", multiple: true, default: [] },
    guarantee: { type: "string", default: "exactly_once_v2" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * 1e6)) },
  },
});

/** Without anything new it is stuck. */
const PATIENCE_MS = 300_000;
const POLL_MS = 50;
const WRITTEN_AT_ONCE = 5000;
/** As many as wait at the most when the next round begins: time does not run away. */
const ROUNDS_BEHIND = 1;
const ROUND_MS = { beforeMax: 2500, pauseMax: 1500 };
/** What is killed; the first rounds go through all, others are drawn. */
const VICTIMS = ["member", "broker", "member and broker", "all members", "member", "member"];

const [kills, records, slots, seed] = [values.kills, values.records, values.members, values.seed]
  .map(Number) as [number, number, number, number];
const kind = BROKER_KINDS.find((each) => each === values.on);
if (kind === undefined) throw new Error(`--on is one of ${BROKER_KINDS}`);
const isExact = values.guarantee === "exactly_once_v2";
const random = new SimRandom(seed);
const pick = (bound: number) => random.below(bound);
const io = bunIo();

/** The run. */
class Killing {
  readonly ledger: Ledger;
  readonly #producer: Producer;
  readonly #consumer: Consumer;
  readonly #reading: Promise<void>;
  readonly #counts = new Map<string, number>();
  #trouble: unknown = null;

  constructor(readonly brokers: Brokers, readonly members: Members) {
    // Of today, or brokers would delete them, and none of it in the future, which they refuse.
    this.ledger = new Ledger(isExact, Date.now() - records, records);
    const options = { brokers: brokers.bootstrap.split(",") };
    this.#producer = new Producer(io, { ...options, deliveryTimeoutMs: PATIENCE_MS });
    const isolationLevel = isExact ? "read_committed" as const : "read_uncommitted" as const;
    this.#consumer = new Consumer(io, { ...options, isolationLevel, apiTimeoutMs: PATIENCE_MS });
    this.#reading = this.#read().catch((error: unknown) => void (this.#trouble ??= error));
  }

  async play(): Promise<void> {
    await this.#producer.sendAll(nameRecords());
    const first = values.churn ? Math.ceil(slots / 2) : slots;
    for (let slot = 0; slot < first; slot++) this.members.start(slot);
    for (let round = 0; round < kills; round++) await this.#round(round);
    await this.#until("all results", () => this.ledger.missing === 0);
    for (const slot of this.members.running()) await this.members.stop(slot);
    await this.#readToEnds();
    this.ledger.requireNoMore();
  }

  /** What was done how often. */
  summary(): string {
    return [...this.#counts].map(([what, count]) => `${what} ${count}×`).join(", ");
  }

  async close(): Promise<void> {
    await this.#consumer.close();
    await this.#reading;
    await this.#producer.close();
  }

  async #round(round: number): Promise<void> {
    const { ledger } = this;
    const count = Math.floor((records - ledger.written) / (kills - round));
    const half = Math.floor(count / 2);
    await this.#write(half);
    if (values.churn) await this.#churn();
    await Bun.sleep(pick(ROUND_MS.beforeMax));
    const victims = round < VICTIMS.length ? VICTIMS[round]! : random.pick(VICTIMS);
    const back = await this.#kill(victims);
    await this.#write(count - half);
    await Bun.sleep(pick(ROUND_MS.pauseMax));
    for (const slot of back) this.members.start(slot);
    await this.#until("some results", () => ledger.behind <= Math.max(1, count * ROUNDS_BEHIND));
    const seconds = Math.round(performance.now() / 1000);
    console.log(
      `${round + 1}: ${victims} killed; ${this.members.running().length} members, ` +
        `${ledger.written} written, ${ledger.behind} behind, ${seconds} s`,
    );
  }

  /** Gives those that are to come back. */
  async #kill(victims: string): Promise<readonly number[]> {
    this.#count(`${victims} killed`);
    if (isExact && victims.includes("broker") && this.brokers.losesMarkers) {
      await this.#until("all results", () => this.ledger.missing === 0);
    }
    const running = this.members.running();
    const slots = victims === "all members" ? running : [random.pick(running)];
    if (victims !== "broker") { for (const slot of slots) await this.#killMember(slot); }
    if (victims.includes("broker")) await this.brokers.kill(pick, pick(ROUND_MS.pauseMax));
    return victims === "broker" ? [] : slots;
  }

  /** With snapshots its disk may be gone with it. */
  async #killMember(slot: number): Promise<void> {
    await this.members.kill(slot);
    if (!values.snapshots || random.chance(30)) return;
    this.#count("disk lost");
    this.members.forget(slot);
  }

  /** Members that are added, removed, or gone with their disk. */
  async #churn(): Promise<void> {
    const [running, free] = [this.members.running(), this.members.free()];
    const slot = random.pick(running);
    if (free.length > 0 && (running.length === 1 || random.chance(50))) {
      this.#count("member added");
      this.members.start(random.pick(free));
    } else if (random.chance(30)) {
      this.#count("member replaced");
      await this.members.kill(slot);
      this.members.forget(slot);
      this.members.start(slot);
    } else if (running.length > 1) {
      this.#count("member removed");
      await this.members.stop(slot);
    } else {
      this.#count("member restarted");
      await this.members.stop(slot);
      this.members.start(slot);
    }
  }

  async #write(count: number): Promise<void> {
    const { ledger } = this;
    for (let left = count; left > 0;) {
      const now = Math.min(left, WRITTEN_AT_ONCE);
      const batch = [];
      for (let i = 0; i < now; i++) {
        batch.push(...recordsOf(ledger.written, ledger.beganMs));
        ledger.add();
      }
      await this.#producer.sendAll(batch);
      left -= now;
    }
  }

  async #read(): Promise<void> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await this.#consumer.assign(OUTPUTS.flatMap((topic) => {
      return partitions.map((partition) => ({ topic, partition, offset: 0n }));
    }));
    for await (const chunk of this.#consumer.chunks()) {
      for (const cursor of chunk.each()) {
        this.ledger.take(chunk.topic, cursor.key()!, cursor.value()!);
      }
    }
  }

  /** What is committed and was not looked at yet. */
  async #readToEnds(): Promise<void> {
    const admin = new Admin(io, { brokers: this.brokers.bootstrap.split(",") });
    const queries = this.#consumer.assignment().map((each) => ({ ...each, at: "latest" as const }));
    const isolationLevel = isExact ? "read_committed" as const : "read_uncommitted" as const;
    const ends = await admin.listOffsets(queries, { isolationLevel });
    admin.close();
    await this.#until(
      "the ends of the outputs",
      () =>
        ends.every(({ topic, partition, offset, error }) => {
          if (error !== null) throw error;
          return (this.#consumer.position(topic, partition) ?? -1n) >= offset;
        }),
    );
  }

  /** Waits as long as there is something new. */
  async #until(what: string, isThere: () => boolean): Promise<void> {
    let [taken, sinceMs] = [this.ledger.taken, performance.now()];
    for (;;) {
      this.members.requireWell();
      if (this.#trouble !== null) throw this.#trouble;
      if (isThere()) return;
      if (this.ledger.taken !== taken) {
        [taken, sinceMs] = [this.ledger.taken, performance.now()];
      } else if (performance.now() - sinceMs > PATIENCE_MS) {
        throw new Error(`nothing new; waiting for ${what}, ${this.ledger.missing} missing`);
      }
      await Bun.sleep(POLL_MS);
    }
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}

async function main(): Promise<number> {
  const missing = await needFor(kind!);
  if (missing !== null) {
    console.log(`skip: ${missing}`);
    return process.env["CI"] ? 1 : 0;
  }
  console.log(`seed ${seed}, on ${kind}, ${values.guarantee}`);
  const brokers = await startBrokers(kind!);
  const members = new Members({
    ...{ bootstrap: brokers.bootstrap, slots, isStatic: values.static },
    hasSnapshots: values.snapshots,
    settings: {
      "num.standby.replicas": values.standbys,
      "processing.guarantee": values.guarantee,
      "commit.interval.ms": isExact ? "100" : "500",
      ...Object.fromEntries(values.set.map((each) => each.split("=", 2) as [string, string])),
    },
  });
  const admin = new Admin(io, { brokers: brokers.bootstrap.split(",") });
  const topics = TOPICS.map((name) => ({ name, partitions: PARTITIONS }));
  for (const { error } of await admin.createTopics(topics)) if (error !== null) throw error;
  admin.close();
  const killing = new Killing(brokers, members);
  const beganMs = performance.now();
  try {
    await killing.play();
    const begun = members.begunWithSnapshots();
    if (values.snapshots) console.log(`${begun} stores began with a snapshot`);
    if (values.snapshots && begun === 0) throw new Error("no store began with a snapshot");
    const seconds = Math.round((performance.now() - beganMs) / 1000);
    console.log(
      `${records} records counted, windowed and joined ${isExact ? "once each" : "all"} ` +
        `(${APPLICATION_ID}, ${kills} kills: ${killing.summary()}), ${seconds} s`,
    );
    await killing.close();
    return 0;
  } catch (error) {
    console.log(`FAIL  seed ${seed}: ${String(error)}\nlogs are in ${members.dir}`);
    return 1;
  } finally {
    members.end();
    await brokers.end();
  }
}

process.exit(await main());
