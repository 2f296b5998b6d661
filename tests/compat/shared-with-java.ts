/**
 * One live group of the classic protocol with members of our library and of Kafka's Java consumer,
 * all with the cooperative sticky assignor (KIP-429): whoever leads, no partition has two owners at
 * once, and no record is skipped while members join and leave.
 */
import { strict as assert } from "node:assert";
import { linesOf } from "../harness/process.ts";
import { Consumer, Producer, stringSerde } from "../../client/index.ts";
import { java } from "./install.ts";
import {
  eventually,
  freshTopic,
  type LibraryWorld,
  numbers,
  pause,
} from "./library/library-case.ts";

const PARTITIONS = 24;
const OURS_MAX = 6;
const JAVA_ASSIGNOR = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
/** A group hears of a member that is gone within it. */
const SESSION_MS = 10_000;
/** Clocks of two processes agree so well. */
const CLOCK_MS = 5;

/** A partition in the hands of a member, from one moment of the wall clock to another. */
interface Holding {
  readonly who: string;
  readonly partition: number;
  readonly fromMs: number;
  toMs: number;
}

/** What was counted. */
export interface SharedCounts {
  readonly records: number;
  readonly byJava: number;
  readonly joins: number;
  readonly moves: number;
  readonly repeated: number;
}

/** Who had what, and who has read what. */
class Book {
  /** Who has read each record. */
  readonly seen = new Map<number, string[]>();
  readonly holdings: Holding[] = [];
  byJava = 0;

  read(who: string, number: number): void {
    const readers = this.seen.get(number);
    if (readers === undefined) this.seen.set(number, [who]);
    else readers.push(who);
  }

  takes(who: string, partitions: readonly number[], atMs: number): void {
    for (const partition of partitions) {
      this.holdings.push({ who, partition, fromMs: atMs, toMs: Infinity });
    }
  }

  gives(who: string, partitions: readonly number[], atMs: number): void {
    for (const holding of this.holdings) {
      if (holding.who !== who || holding.toMs < Infinity) continue;
      if (partitions.includes(holding.partition)) holding.toMs = atMs;
    }
  }

  /** Partitions that two had at once. */
  conflicts(): string[] {
    return numbers(0, PARTITIONS).flatMap((partition) => {
      const inOrder = this.holdings.filter((each) => each.partition === partition)
        .sort((a, b) => a.fromMs - b.fromMs);
      return inOrder.slice(1).flatMap((next, i) => {
        const overlapMs = inOrder[i]!.toMs - next.fromMs;
        const pair = `${inOrder[i]!.who} and ${next.who}`;
        return overlapMs > CLOCK_MS ? [`${pair} have ${partition} for ${overlapMs} ms`] : [];
      });
    });
  }
}

/** Kafka's verifiable consumer, which tells each event in a line of JSON. */
class JavaMember {
  readonly #process;
  readonly #reading: Promise<void>;

  constructor(readonly name: string, bootstrap: string, topic: string, readonly book: Book) {
    this.#process = Bun.spawn(
      java(
        "org.apache.kafka.tools.VerifiableConsumer",
        ...["--bootstrap-server", bootstrap, "--topic", topic, "--group-id", topic, "--verbose"],
        ...["--reset-policy", "earliest", "--assignment-strategy", JAVA_ASSIGNOR],
        ...["--session-timeout", `${SESSION_MS}`],
      ),
      { stdout: "pipe", stderr: "ignore" },
    );
    this.#reading = this.#read();
  }

  /** Ends it in good order. */
  async end(): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const line of linesOf(this.#process.stdout)) {
      if (line.startsWith("{")) this.#hear(JSON.parse(line));
    }
  }

  #hear(event: Record<string, unknown>): void {
    const { name, value, partitions, timestamp } = event;
    switch (name) {
      case "record_data":
        this.book.byJava++;
        return this.book.read(this.name, Number(value));
      case "partitions_assigned":
        return this.book.takes(this.name, partitionsOf(partitions), Number(timestamp));
      case "partitions_revoked":
        return this.book.gives(this.name, partitionsOf(partitions), Number(timestamp));
    }
  }
}

function partitionsOf(value: unknown): number[] {
  assert.ok(Array.isArray(value));
  return value.map((each: { partition: number }) => each.partition);
}

/** Our member. */
class OurMember {
  readonly #consumer: Consumer<Uint8Array, string>;
  readonly #running: Promise<void>;
  #isLeaving = false;

  constructor(name: string, world: LibraryWorld, topic: string, readonly book: Book) {
    const { clock } = world.io;
    this.#consumer = new Consumer(world.io, {
      brokers: world.brokers,
      groupId: topic,
      value: stringSerde,
      assignors: ["cooperative-sticky"],
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 300,
      autoCommitIntervalMs: 500,
    });
    const indexes = (list: readonly { partition: number }[]) => list.map((each) => each.partition);
    this.#consumer.subscribe([topic], {
      // What comes while it leaves it does not read any more.
      assigned: (partitions) => {
        if (!this.#isLeaving) book.takes(name, indexes(partitions), clock.wallMs());
      },
      revoked: (partitions, lost) => {
        assert.equal(lost, false, `${name} loses partitions`);
        book.gives(name, indexes(partitions), clock.wallMs());
      },
    });
    this.#running = this.#consumer.run({
      eachRecord: ({ value }) => book.read(name, Number(value)),
    });
    this.leave = async () => {
      this.#isLeaving = true;
      book.gives(name, numbers(0, PARTITIONS), clock.wallMs());
      await this.#consumer.close();
      await this.#running;
    };
  }

  readonly leave: () => Promise<void>;
}

/** Runs the group for so long. */
export async function shareWithJava(
  world: LibraryWorld,
  bootstrap: string,
  forMs: number,
): Promise<SharedCounts> {
  const { clock, random } = world.io;
  const topic = await freshTopic(world, PARTITIONS);
  const book = new Book();
  const endMs = clock.monotonicMs() + forMs;
  const producing = produceUntil(world, topic, endMs);
  const javaMembers = [0, 1].map((i) => new JavaMember(`java ${i}`, bootstrap, topic, book));
  const ours: OurMember[] = [];
  let joins = javaMembers.length;
  const comingAndGoing = (async () => {
    while (clock.monotonicMs() < endMs) {
      await pause(world, forMs / 5);
      const member = new JavaMember(`java ${joins++}`, bootstrap, topic, book);
      await pause(world, forMs / 5);
      await member.end();
    }
  })();
  while (clock.monotonicMs() < endMs) {
    if (ours.length < 2 || (ours.length < OURS_MAX && random.below(2) === 0)) {
      ours.push(new OurMember(`ours ${joins++}`, world, topic, book));
    } else await ours.splice(random.below(ours.length), 1)[0]?.leave();
    await pause(world, random.below(4000));
  }
  const records = await producing;
  await comingAndGoing;
  await eventually(world, "all is read", () => book.seen.size === records);
  for (const member of ours) await member.leave();
  for (const member of javaMembers) await member.end();
  assert.deepEqual(book.conflicts(), []);
  // Java's program does not commit what it has read last when it is ended, nor does a member that
  // leaves amid a rebalance which outlasts its patience.
  const repeated = [...book.seen.values()].filter((readers) => readers.length > 1);
  const { byJava, holdings } = book;
  return { records, byJava, joins, moves: holdings.length, repeated: repeated.length };
}

/** Numbers, dealt out over the partitions; resolves to how many. */
async function produceUntil(world: LibraryWorld, topic: string, endMs: number): Promise<number> {
  const { clock, random } = world.io;
  const { brokers } = world;
  const producer = new Producer<Uint8Array, string>(world.io, { brokers, value: stringSerde });
  let next = 0;
  while (clock.monotonicMs() < endMs) {
    const sent = Array.from({ length: random.below(60) }, () => {
      const value = String(next++);
      return producer.send({ topic, partition: Number(value) % PARTITIONS, value });
    });
    await Promise.all(sent);
    await pause(world, 50);
  }
  await producer.close();
  return next;
}
