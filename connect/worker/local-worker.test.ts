import { expect, test } from "bun:test";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import { defineSink, defineSource, RetriableError } from "../connector.ts";
import type { SinkPosition, SourcePosition } from "../connector.ts";
import { int, string } from "../config/fields.ts";
import type { RawConfig } from "../config/parse.ts";
import type { SinkRecord } from "../data/record.ts";
import { WorkerScene } from "./worker.test-helper.ts";

const COUNTER = { counter: "only" };

/** Counts up to `to`, ten at a time; what is behind `onCommitted` is told to `heard`. */
function counter(heard: SourcePosition[] = []) {
  return defineSource({
    name: "counter",
    version: "1",
    doc: "Counts.",
    config: {
      topic: string(),
      to: int(),
      "fails.at": int().default(-1),
      poison: int().default(-1),
    },
    async *read({ config, offsets, onCommitted, clock, signal }) {
      onCommitted((positions) => void heard.push(...positions));
      const last = await offsets.get(COUNTER);
      for (let n = Number(last?.["n"] ?? 0); n < config.to && !signal.aborted; n += 10) {
        if (n === config["fails.at"]) throw new RetriableError("the source is away");
        yield Array.from({ length: 10 }, (_, i) => ({
          topic: config.topic,
          value: n + i === config.poison ? "poison" : `${n + i}`,
          sourcePartition: COUNTER,
          sourceOffset: { n: n + i + 1 },
        }));
        await clock.sleep(1, signal);
      }
    },
  });
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

const COUNTS = { name: "counts", "connector.class": "counter", topic: "numbers", to: "100" };

test("a source's records are in the topic, and it goes on where it was", () => {
  const scene = new WorkerScene({}, [counter()]);
  scene.run(async () => {
    scene.start(COUNTS);
    await scene.until(() => scene.said.includes("counts-0 finished"));
    expect(scene.said).toEqual(["counts-0 RUNNING", "counts uses numbers", "counts-0 finished"]);
    await scene.worker.stopTask({ connector: "counts", task: 0 });
    scene.start({ ...COUNTS, to: "150" });
    await scene.until(() => scene.said.filter((line) => line.endsWith("finished")).length === 2);
    expect(await scene.values("numbers")).toEqual(upTo(150));
    expect(await scene.worker.offsets("counts", COUNTS)).toEqual([
      { partition: COUNTER, offset: { n: 150 } },
    ]);
  });
});

test("a source hears what is safe, each place once and in order", () => {
  const heard: SourcePosition[] = [];
  const scene = new WorkerScene({ numbers: 3 }, [counter(heard)]);
  scene.run(async () => {
    scene.start({ ...COUNTS, to: "5000" });
    await scene.until(() => scene.said.includes("counts-0 finished"));
    const places = heard.map(({ offset }) => Number(offset["n"]));
    expect(places.at(-1)).toBe(5000);
    expect(places.length).toBeGreaterThan(0);
    expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
  });
});

test.each(["requested", "required"])(
  "a source hears of records that are in the topic, and of offsets stored; exactly once %s",
  (support) => {
    const said: string[] = [];
    const place = ([position]: readonly SourcePosition[]) => `${position?.offset["n"]}`;
    const definition = defineSource({
      name: "counter",
      version: "1",
      doc: "Counts.",
      delivery: "exactly-once",
      config: { topic: string(), to: int() },
      async *read({ config: { topic, to }, offsets, onAcknowledged, onCommitted }) {
        onAcknowledged((positions) => void said.push(`acknowledged ${place(positions)}`));
        onCommitted(async (positions) => {
          const stored = await offsets.get(COUNTER);
          said.push(`committed ${place(positions)} of ${stored?.["n"]}`);
        });
        for (let n = 1; n <= to; n++) {
          yield [{ topic, value: `${n}`, sourcePartition: COUNTER, sourceOffset: { n } }];
          // As one who has posted waits for an answer before posting more.
          await scene.until(() => said.includes(`acknowledged ${n}`));
        }
      },
    });
    const scene = new WorkerScene({ numbers: 1 }, [definition], "topic");
    scene.run(async () => {
      scene.start({ ...COUNTS, "exactly.once.support": support, to: "3" });
      await scene.until(() => scene.said.includes("counts-0 finished"));
    });
    // Offsets are stored at intervals, or with each transaction.
    expect(said).toEqual(
      support === "required"
        ? [1, 2, 3].flatMap((n) => [`acknowledged ${n}`, `committed ${n} of ${n}`])
        : ["acknowledged 1", "acknowledged 2", "acknowledged 3", "committed 3 of 3"],
    );
  },
);

test("what a config has under keys that are made of others comes to its task", () => {
  const seen: RawConfig[] = [];
  const definition = defineSource({
    name: "tables",
    version: "1",
    doc: "Has settings of each table.",
    config: {},
    dynamicKeys: ["tables.*.key"],
    check: (_config, dynamic) => {
      const [field] = Object.entries(dynamic).find(([, key]) => key === "") ?? [];
      return field === undefined ? [] : [{ field, message: `"${field}" is empty` }];
    },
    async *read({ dynamic }) {
      await Promise.resolve(seen.push(dynamic));
      yield [];
    },
  });
  const scene = new WorkerScene({}, [definition]);
  scene.run(async () => {
    const config = { name: "db", "connector.class": "tables", "tables.a.key": "id", other: "1" };
    scene.start(config);
    await scene.until(() => scene.said.includes("db-0 finished"));
    const problems = await scene.worker.validate({ ...config, "tables.b.key": "" });
    expect(problems.map(({ field }) => field)).toEqual(["tables.b.key", "other"]);
  });
  expect(seen).toEqual([{ "tables.a.key": "id" }]);
});

test("a source that is away is read again, from where it was", () => {
  let isAway = true;
  const definition = counter();
  const flaky = {
    ...definition,
    async *read(context: Parameters<typeof definition.read>[0]) {
      for await (const batch of definition.read(context)) {
        if (isAway && batch[0]?.value === "50") {
          isAway = false;
          throw new RetriableError("the source is away");
        }
        yield batch;
      }
    },
  };
  const scene = new WorkerScene({}, [flaky]);
  scene.run(async () => {
    scene.start(COUNTS);
    await scene.until(() => scene.said.includes("counts-0 finished"));
    expect(await scene.values("numbers")).toEqual(upTo(100));
    expect(scene.traces).toEqual([]);
  });
});

test("a record that cannot be converted fails the task, with its place, and is not passed over", () => {
  const scene = new WorkerScene({}, [counter()]);
  scene.run(async () => {
    scene.start({ ...COUNTS, poison: "42" });
    await scene.until(() => scene.said.includes("counts-0 FAILED"));
    expect(scene.traces[0]).toContain("a record for numbers: it is poison (VALUE_CONVERTER)");
    const [stored] = await scene.offsets.list("counts");
    expect(Number(stored?.offset?.["n"] ?? 0)).toBeLessThanOrEqual(40);
  });
});

test("it is left out where that is wanted, with a dead letter", () => {
  const scene = new WorkerScene({}, [counter()]);
  scene.run(async () => {
    scene.start({
      ...COUNTS,
      poison: "42",
      "errors.deadletterqueue.topic.name": "dead",
      "errors.deadletterqueue.topic.replication.factor": "1",
    });
    await scene.until(() => scene.said.includes("counts-0 finished"));
    expect(await scene.values("numbers")).toEqual(upTo(100).filter((value) => value !== "42"));
    expect(await scene.values("dead")).toEqual(['"poison"']);
  });
});

/** Twenty records, of which one is larger than the topic takes. */
/** The last as well: it must not come again. */
const TOO_LARGE = ["7", "8", "19"];
const LARGE = defineSource({
  delivery: "exactly-once",
  name: "large",
  version: "1",
  doc: "Has records that are too large.",
  config: { topic: string() },
  async *read({ config, offsets }) {
    if (await offsets.get(COUNTER) !== null) return;
    yield upTo(20).map((value) => ({
      topic: config.topic,
      value: TOO_LARGE.includes(value) ? value.repeat(2500) : value,
      sourcePartition: COUNTER,
      sourceOffset: { n: Number(value) + 1 },
    }));
    await Promise.resolve();
  },
});

test.each([
  {},
  { "exactly.once.support": "required" },
  { "exactly.once.support": "required", "transaction.boundary": "interval" },
])("records that brokers never take are left out as well, or fail the task: %p", (more) => {
  const scene = new WorkerScene({}, [LARGE], "topic");
  scene.run(async () => {
    const config: RawConfig = {
      ...more as RawConfig,
      name: "large",
      "connector.class": "large",
      topic: "small",
      "topic.creation.default.max.message.bytes": "2000",
    };
    scene.start(config);
    await scene.until(() => scene.said.includes("large-0 FAILED"));
    expect(scene.traces[0]).toContain("MESSAGE_TOO_LARGE");
    expect(await scene.offsets.list("large")).toEqual([]);
    await scene.worker.stopTask({ connector: "large", task: 0 });
    const before = await scene.values("small");
    scene.start({
      ...config,
      "errors.deadletterqueue.topic.name": "dead",
      "errors.deadletterqueue.topic.replication.factor": "1",
    });
    await scene.until(() => scene.said.includes("large-0 finished"));
    const after = (await scene.values("small")).slice(before.length);
    expect(after).toEqual(upTo(20).filter((value) => !TOO_LARGE.includes(value)));
    expect(await scene.values("dead")).toEqual(TOO_LARGE.map((value) => `"${value.repeat(2500)}"`));
    expect(await scene.offsets.list("large")).toEqual([{ partition: COUNTER, offset: { n: 20 } }]);
  });
});

test("an offset topic has Connect's records, and is read by the next worker", () => {
  const scene = new WorkerScene({ numbers: 1 }, [counter()], "topic");
  scene.run(async () => {
    scene.start(COUNTS);
    await scene.until(() => scene.said.includes("counts-0 finished"));
    const keys: string[] = [];
    const consumer = new Consumer(scene.world.clientIo(), { brokers: scene.world.brokers });
    await consumer.assign(
      [0, 1, 2, 3, 4].map((partition) => ({ topic: "connect-offsets", partition, offset: 0n })),
    );
    const chunk = await consumer.nextChunk();
    for (const { key, value } of chunk?.records() ?? []) {
      const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined);
      keys.push(`${text(key)} ${text(value)}`);
    }
    await consumer.close();
    expect(keys.at(-1)).toBe('["counts",{"counter":"only"}] {"n":100}');
  });
});

const EXACTLY = { ...COUNTS, "exactly.once.support": "required", to: "2000" };

const OWN = { "offsets.storage.topic": "own-offsets" };

const CUT_OFF = "exactly once: a task that is cut off and another that takes its place write all " +
  "of it, once; offsets in the topic of %s";
test.each(["the worker", "its own"])(CUT_OFF, (whose) => {
  const definition = { ...counter(), delivery: "exactly-once" as const };
  const scene = new WorkerScene({ numbers: 1 }, [definition], "topic");
  const io = scene.world.clientIo();
  const first = scene.newWorker(io);
  const id = { connector: "counts", task: 0 };
  const config: RawConfig = whose === "its own" ? { ...EXACTLY, ...OWN } : EXACTLY;
  const spec = { id, connectorConfig: config, taskConfig: config };
  scene.run(async () => {
    first.startTask(spec, "STARTED");
    await scene.until(() => (first.figures(id)["transaction-total"] ?? 0) > 20);
    io.network.isolate();
    scene.worker.startTask(spec, "STARTED");
    await scene.until(() => (scene.worker.figures(id)["transaction-total"] ?? 0) > 20);
    // It is back in the middle of a transaction, and must not get to commit it.
    io.network.heal();
    await scene.until(() =>
      scene.said.includes("counts-0 finished") && scene.said.includes("counts-0 FAILED")
    );
    expect(scene.traces[0]).toMatch(/PRODUCER_FENCED|INVALID_PRODUCER_EPOCH/);
    expect(await scene.values("numbers")).toEqual(upTo(2000));
  });
});

test.each(["memory", "topic"] as const)(
  "offsets in a topic of the connector's own come first, and the worker's where it has none",
  (storage) => {
    const definition = { ...counter(), delivery: "exactly-once" as const };
    const scene = new WorkerScene({ numbers: 1 }, [definition], storage);
    const at = (n: number) => [{ partition: COUNTER, offset: { n } }];
    scene.run(async () => {
      const { worker, offsets } = scene;
      let finished = 0;
      const read = async (config: RawConfig) => {
        scene.start(config);
        finished++;
        const isDone = (line: string) => line.endsWith("finished");
        await scene.until(() => scene.said.filter(isDone).length === finished);
        await worker.stopTask({ connector: "counts", task: 0 });
      };
      await offsets.set("counts", at(20));
      await read({ ...COUNTS, ...OWN, to: "50" });
      await scene.until(() => scene.said.includes("counts uses numbers"));
      expect(await worker.offsets("counts", { ...COUNTS, ...OWN })).toEqual(at(50));
      // What the worker's topic says afterwards is older, or of nobody.
      await offsets.set("counts", at(0));
      await read({ ...COUNTS, ...OWN, "exactly.once.support": "required", to: "70" });
      expect(await scene.values("numbers")).toEqual(upTo(70).slice(20));
      // Without its topic it goes on, as the worker's follows.
      await read({ ...COUNTS, to: "80" });
      expect(await scene.values("numbers")).toEqual(upTo(80).slice(20));
      await worker.alterOffsets("counts", { ...COUNTS, ...OWN }, []);
      expect(await worker.offsets("counts", { ...COUNTS, ...OWN })).toEqual([]);
      expect(await offsets.list("counts")).toEqual([]);
    });
  },
);

test("exactly once: what a source has committed it finds, though others' offsets before it are not", () => {
  const found: number[] = [];
  const definition = defineSource({
    name: "looker",
    version: "1",
    doc: "Counts, and looks each time how far it has come.",
    config: {},
    delivery: "exactly-once",
    async *read({ offsets }) {
      for (let n = 1; n <= 5; n++) {
        const value = `${n}`;
        yield [{ topic: "numbers", value, sourcePartition: COUNTER, sourceOffset: { n } }];
        found.push(Number((await offsets.get(COUNTER))?.["n"]));
      }
    },
  });
  const scene = new WorkerScene({ numbers: 1 }, [definition], "topic");
  scene.run(async () => {
    const { brokers } = scene.world;
    const other = new Producer(scene.world.clientIo(), { brokers, transactionalId: "other" });
    await other.transactions.init();
    other.transactions.begin();
    const key = new TextEncoder().encode('["other",{}]');
    const value = new TextEncoder().encode("{}");
    const parts = Array.from({ length: 5 }, (_, partition) => partition);
    const records = parts.map((partition) => ({ topic: "connect-offsets", partition, key, value }));
    await other.sendAll(records);
    scene.start({
      name: "looks",
      "connector.class": "looker",
      "exactly.once.support": "required",
    });
    const id = { connector: "looks", task: 0 };
    await scene.until(() => (scene.worker.figures(id)["transaction-total"] ?? 0) > 0);
    await scene.pass(1000);
    await other.transactions.abort();
    await scene.until(() => scene.said.includes("looks-0 finished"));
    expect(found).toEqual([1, 2, 3, 4, 5]);
    await other.close();
  });
});

test("exactly once in intervals: many batches are one transaction", () => {
  const definition = { ...counter(), delivery: "exactly-once" as const };
  const scene = new WorkerScene({ numbers: 1 }, [definition], "topic");
  scene.run(async () => {
    const config = {
      ...EXACTLY,
      "transaction.boundary": "interval",
      "transaction.boundary.interval.ms": "100",
    };
    scene.start(config);
    await scene.until(() => scene.said.includes("counts-0 finished"));
    expect(scene.worker.figures({ connector: "counts", task: 0 })["transaction-total"])
      .toBeLessThan(100);
    expect(await scene.values("numbers")).toEqual(upTo(2000));
  });
});

test("exactly once is refused where it cannot be had", () => {
  const scene = new WorkerScene({ numbers: 1 }, [counter()]);
  scene.run(async () => {
    scene.start(EXACTLY);
    await scene.until(() => scene.said.includes("counts-0 FAILED"));
    expect(scene.traces[0]).toContain("counter may read records twice");
  });
});

test("a paused source brings nothing, and goes on", () => {
  const scene = new WorkerScene({ numbers: 1 }, [counter()]);
  scene.run(async () => {
    scene.start(COUNTS, 1, "PAUSED");
    await scene.until(() => scene.said.includes("counts-0 PAUSED"));
    expect(await scene.values("numbers")).toEqual([]);
    scene.worker.setTarget("counts", "STARTED");
    await scene.until(() => scene.said.includes("counts-0 finished"));
    expect(await scene.values("numbers")).toEqual(upTo(100));
  });
});

/** A target that sinks of all tasks write to. */
class Target {
  values: string[] = [];
  fails = 0;
  refuses: string | null = null;
  /** Where records are safe only with a flush. */
  buffered: string[] | null = null;
  positions: SinkPosition[] = [];

  take(records: readonly SinkRecord[]): void {
    if (this.fails > 0) {
      this.fails--;
      throw new RetriableError("the target is away");
    }
    const values = records.map(({ value }) => String(value));
    if (this.buffered !== null) this.buffered.push(...values);
    else this.values.push(...values);
  }
}

function sinkTo(target: Target) {
  return defineSink({
    name: "target",
    version: "1",
    doc: "Writes into memory.",
    config: {},
    open: ({ reject }) => ({
      write: async (records) => {
        const refused = records.filter(({ value }) => value === target.refuses);
        for (const record of refused) await reject(record, new Error("not this one"));
        target.take(records.filter((record) => !refused.includes(record)));
      },
      ...(target.buffered === null ? {} : {
        flush: (taken: readonly SinkPosition[]) => {
          target.values.push(...target.buffered!.splice(0));
          target.positions = [...taken];
          return Promise.resolve(taken);
        },
      }),
    }),
  });
}

const SINK = { name: "sink", "connector.class": "target", topics: "t" };
const sorted = (values: readonly string[]) => [...values].sort((a, b) => Number(a) - Number(b));

test("a sink gets all records, and goes on behind what is committed", () => {
  const target = new Target();
  const scene = new WorkerScene({ t: 3 }, [sinkTo(target)]);
  scene.run(async () => {
    await scene.world.produce("t", 3, 0, 300);
    scene.start(SINK, 2);
    await scene.until(() => target.values.length === 300);
    await scene.worker.stopTask({ connector: "sink", task: 0 });
    await scene.worker.stopTask({ connector: "sink", task: 1 });
    await scene.world.produce("t", 3, 300, 30);
    scene.start(SINK);
    await scene.until(() => target.values.length === 330);
    expect(sorted(target.values)).toEqual(upTo(330));
    const offsets = await scene.worker.offsets("sink", SINK);
    expect(offsets).toHaveLength(3);
  });
});

test("offsets of a sink are set and forgotten while it is stopped", () => {
  const target = new Target();
  const scene = new WorkerScene({ t: 1 }, [sinkTo(target)]);
  scene.run(async () => {
    await scene.world.produce("t", 1, 0, 10);
    const { worker } = scene;
    const partition = { kafka_topic: "t", kafka_partition: 0 };
    await worker.alterOffsets("sink", SINK, [{ partition, offset: { kafka_offset: 7 } }]);
    expect(await worker.offsets("sink", SINK)).toEqual([
      { partition, offset: { kafka_offset: 7 } },
    ]);
    scene.start(SINK);
    await scene.until(() => target.values.length === 3);
    expect(target.values).toEqual(["7", "8", "9"]);
    await worker.stopTask({ connector: "sink", task: 0 });
    await worker.alterOffsets("sink", SINK, []);
    expect(await worker.offsets("sink", SINK)).toEqual([]);
  });
});

test("a target that is away is tried again, and gets nothing twice or never", () => {
  const target = new Target();
  target.fails = 7;
  const scene = new WorkerScene({ t: 1 }, [sinkTo(target)]);
  scene.run(async () => {
    await scene.world.produce("t", 1, 0, 50);
    const figure = (name: string) => scene.worker.figures({ connector: "sink", task: 0 })[name];
    scene.start(SINK);
    await scene.until(() => (figure("sink-write-blocked-ms") ?? 0) > 3000);
    await scene.until(() => target.values.length === 50);
    expect(target.values).toEqual(upTo(50));
    expect(figure("sink-write-retries-total")).toBe(7);
    await scene.until(() => figure("sink-write-blocked-ms") === 0);
  });
});

test("partitions of a sink whose target is away can go to another task", () => {
  const away = new Target();
  away.fails = 1e9;
  const scene = new WorkerScene({ t: 2 }, [sinkTo(away)]);
  scene.run(async () => {
    await scene.world.produce("t", 2, 0, 50);
    scene.start(SINK, 1);
    await scene.until(() => away.fails < 1e9 - 2);
    scene.worker.startTask({
      id: { connector: "sink", task: 1 },
      connectorConfig: SINK,
      taskConfig: SINK,
    }, "STARTED");
    const owns = (task: number) =>
      scene.worker.figures({ connector: "sink", task })["partition-count"] === 1;
    await scene.until(() => owns(0) && owns(1));
    away.fails = 0;
    await scene.until(() => away.values.length >= 50);
    expect(sorted(away.values)).toEqual(upTo(50));
  });
});

test("only what a sink has flushed is committed", () => {
  const target = new Target();
  target.buffered = [];
  const scene = new WorkerScene({ t: 1 }, [sinkTo(target)]);
  scene.run(async () => {
    await scene.world.produce("t", 1, 0, 20);
    scene.start(SINK);
    await scene.until(() => target.values.length === 20);
    expect(target.positions).toEqual([{ topic: "t", partition: 0, offset: 20n }]);
  });
});

test("a sink may commit before it begins something, with words for who comes next", () => {
  const heard: (string | undefined)[] = [];
  const definition = defineSink({
    name: "target",
    version: "1",
    doc: "Begins something at each third record and never ends it.",
    config: {},
    open: ({ commit }) => ({
      assigned: (partitions) => {
        heard.push(...partitions.map(({ metadata }) => metadata));
        return Promise.resolve();
      },
      write: async (records) => {
        for (const { original: { topic, partition, offset } } of records) {
          if (offset % 3n > 0n) continue;
          await commit([{ topic, partition, offset, metadata: `begun at ${offset}` }]);
        }
      },
      flush: () => Promise.resolve([]),
    }),
  });
  const scene = new WorkerScene({ t: 1 }, [definition]);
  scene.run(async () => {
    await scene.world.produce("t", 1, 0, 11);
    const isAt = async (offset: number) => {
      const [found] = await scene.worker.offsets("sink", SINK);
      return Number(found?.offset?.["kafka_offset"]) === offset;
    };
    scene.start(SINK);
    while (!await isAt(9)) await scene.pass(10);
    await scene.worker.stopTask({ connector: "sink", task: 0 });
    scene.start(SINK);
    await scene.until(() => heard.length === 2);
    expect(heard).toEqual([undefined, "begun at 9"]);
  });
});

test("records that a sink cannot take go to the dead letters, with their places", () => {
  const target = new Target();
  target.refuses = "3";
  const scene = new WorkerScene({ t: 1 }, [sinkTo(target)]);
  scene.run(async () => {
    await scene.world.produce("t", 1, 0, 10);
    scene.start({
      ...SINK,
      "errors.deadletterqueue.topic.name": "dead",
      "errors.deadletterqueue.topic.replication.factor": "1",
    });
    await scene.until(() => target.values.length === 9);
    expect(target.values).toEqual(upTo(10).filter((value) => value !== "3"));
    expect(await scene.values("dead")).toEqual(["3"]);
  });
});

test("without leave to leave them out the task fails, and nothing of the batch is committed", () => {
  const target = new Target();
  target.refuses = "3";
  const scene = new WorkerScene({ t: 1 }, [sinkTo(target)]);
  scene.run(async () => {
    await scene.world.produce("t", 1, 0, 10);
    scene.start(SINK);
    await scene.until(() => scene.said.includes("sink-0 FAILED"));
    expect(scene.traces[0]).toContain("t-0 at offset 3: not this one (TASK_PUT)");
    expect(await scene.worker.offsets("sink", SINK)).toEqual([]);
  });
});

test("a config is checked as a whole, and secrets are asked for by name", () => {
  const scene = new WorkerScene({}, [counter()]);
  scene.run(async () => {
    const messages = async (config: Record<string, string>) =>
      (await scene.worker.validate(config)).map(({ message }) => message);
    expect(await messages(COUNTS)).toEqual([]);
    expect(await messages({ ...COUNTS, tpoic: "x" })).toEqual([
      '"tpoic" is no field of this connector: did you mean "topic"?',
    ]);
    expect(await messages({ ...COUNTS, "connector.class": "conter" })).toEqual([
      '"connector.class" names no connector that is here, "conter": did you mean "counter"?',
    ]);
    expect(await messages({ ...COUNTS, topic: "${env:TOPIC}" })).toEqual([
      '"topic" asks for ${env:TOPIC}: there is no such variable in the worker\'s environment',
    ]);
    scene.start({ ...COUNTS, topic: "${env:TOPIC}" });
    await scene.until(() => scene.said.includes("counts-0 FAILED"));
  });
});
