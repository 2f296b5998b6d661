/** The connectors of Redis against a real server of it. */
import { afterAll, beforeAll, beforeEach, expect } from "bun:test";
import redisSink from "../../connect/connectors/redis/redis-sink.ts";
import redisSource from "../../connect/connectors/redis/redis-source.ts";
import type { SinkRecord } from "../../connect/index.ts";
import {
  runSink,
  runSource,
  sinkRecord,
  startSink,
  startSource,
  TestOffsets,
} from "../../connect/testing/index.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { needRedis, RedisServer } from "./servers/redis.ts";
import { liveTest } from "./servers/live.ts";

const missing = await needRedis();
const live = liveTest(missing);

let server: RedisServer;
beforeAll(async () => {
  if (missing === null) server = await RedisServer.start();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  if (missing === null) await server.cli("FLUSHALL");
});

const source = (more: Record<string, string> = {}) => ({
  ...server.config,
  "redis.stream.name": "s",
  topic: "t",
  "redis.stream.block": "50",
  "refresh.interval.ms": "100",
  "value.field": "n",
  ...more,
});
const sink = (more: Record<string, string> = {}) => ({ ...server.config, ...more });
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const numbered = (from: number, to: number): SinkRecord[] =>
  upTo(to - from).map((i) => sinkRecord({ n: from + i }, from + i));
/** Entries with the numbers, without a round trip each. */
const add = (stream: string, from: number, to: number) =>
  server.cli(
    "EVAL",
    "for n = ARGV[1], ARGV[2] - 1 do redis.call('XADD', KEYS[1], '*', 'n', n) end",
    ...["1", stream, String(from), String(to)],
  );
/** The values of field n of a stream, in its order. */
async function entries(stream: string): Promise<number[]> {
  const lines = await server.cli("XRANGE", stream, "-", "+");
  return lines.filter((_line, i) => i % 3 === 2).map(Number);
}
const numbersOf = (values: readonly unknown[]) => values.map(Number);

live("a stream is read on where it was committed, each entry once", async () => {
  await add("s", 0, 1200);
  const first = startSource(redisSource, source());
  await first.take(1200);
  expect(Math.max(...first.batches)).toBe(500);
  await first.commit(700);
  await first.stop();
  await add("s", 1200, 1300);
  const second = await runSource(redisSource, source(), { offsets: first.offsets, until: 600 });
  expect(numbersOf([...first.values().slice(0, 700), ...second.values()])).toEqual(upTo(1300));
  expect(second.gauges.get("entries-lost-total")).toBe(0);
});

live(
  "keys, values, bytes and headers are those of entries; several streams, found by pattern",
  async () => {
    await server.cli("XADD", "in:a", "1526919030474-55", "id", "7", "__proto__", "x", "n", "ü");
    const more = {
      "redis.stream.name": "",
      "redis.stream.pattern": "in:*",
      topic: "from-{stream}",
      "key.field": "id",
    };
    const { "value.field": _, ...config } = source(more);
    const run = startSource(redisSource, config);
    const [entry] = await run.take(1);
    expect(entry).toMatchObject({
      topic: "from-in_a",
      key: "7",
      timestampMs: 1526919030474,
      sourcePartition: { stream: "in:a" },
      sourceOffset: { id: "1526919030474-55" },
    });
    expect(JSON.stringify(entry!.value)).toBe('{"id":"7","__proto__":"x","n":"ü"}');
    expect(entry!.headers.map(({ value }) => value)).toEqual(["in:a", "1526919030474-55"]);
    // One that comes to be later, with bytes that are no text.
    await server.cli("EVAL", "redis.call('XADD', KEYS[1], '*', 'n', '\\255\\0')", "1", "in:b");
    const [later] = await run.take(1);
    expect(later!.value).toEqual({ n: Uint8Array.of(255, 0) });
    await run.stop();
  },
);

live(
  "with $ only what comes is read, and that of streams that come to be from their begin",
  async () => {
    await add("s", 0, 5);
    const run = startSource(
      redisSource,
      source({
        "redis.stream.offset": "$",
        "redis.stream.name": "s,later",
      }),
    );
    const coming = run.take(4);
    while (!run.log.some((line) => line.includes("stream=later"))) await Bun.sleep(5);
    await add("s", 5, 7);
    await add("later", 7, 9);
    await coming;
    expect(numbersOf(run.values()).sort()).toEqual([5, 6, 7, 8]);
    await run.stop();
  },
);

live("what was trimmed before it was read is counted and told of", async () => {
  await add("s", 0, 100);
  await server.cli("XTRIM", "s", "MAXLEN", "=", "90");
  const first = await runSource(redisSource, source({ "batch.size": "10" }), { until: 20 });
  // What was gone before it began is not missed.
  expect(first.gauges.get("entries-lost-total")).toBe(0);
  await add("s", 100, 200);
  await server.cli("XTRIM", "s", "MAXLEN", "=", "50");
  await add("s", 200, 210);
  const second = startSource(redisSource, source(), { offsets: first.offsets });
  await second.take(60);
  const reading = second.next();
  while (second.gauges.get("entries-lost-total") !== 120) await Bun.sleep(5);
  expect(numbersOf(second.values())).toEqual(upTo(210).slice(150));
  expect(second.log.join("\n")).toContain(
    "trimmed or deleted before they were read stream=s count=120",
  );
  // All that waits is taken away, and nothing comes behind it.
  await server.cli(
    "EVAL",
    "local id = redis.call('XADD', 's', '*', 'n', '0') redis.call('XDEL', 's', id)",
    "0",
  );
  while (second.gauges.get("entries-lost-total") !== 121) await Bun.sleep(5);
  await add("s", 210, 211);
  await reading;
  expect(numbersOf(second.values()).at(-1)).toBe(210);
  await second.stop();
});

live(
  "a server that is killed, or frozen, is waited for; no entry is missing or doubled",
  async () => {
    const offsets = new TestOffsets();
    const seen: number[] = [];
    let failures = 0;
    const stop = new AbortController();
    // As the runtime: begun again behind what is committed.
    const reading = (async () => {
      const config = source({ "redis.timeout.ms": "300" });
      while (!stop.signal.aborted) {
        const run = startSource(redisSource, config, { offsets });
        try {
          while (!stop.signal.aborted) {
            seen.push(...numbersOf((await run.next())!.map(({ value }) => value)));
            await run.commit();
          }
        } catch (error) {
          expect((error as Error).name).toBe("RetriableError");
          failures++;
          await Bun.sleep(20);
        }
        await run.stop();
      }
    })();
    let total = 0;
    const addSome = () => add("s", total, total += 50);
    const until = async (isSo: () => boolean) => {
      while (!isSo()) await Promise.race([Bun.sleep(5), reading]);
    };
    for (let round = 0; round < 3; round++) {
      await addSome();
      await until(() => seen.length >= total);
      const before = failures;
      if (round === 1) server.freeze();
      else await server.down();
      await until(() => failures > before + 1);
      if (round === 1) server.thaw();
      else await server.up();
    }
    await addSome();
    await until(() => seen.length >= total);
    stop.abort();
    // It may wait for entries, and ends with the next ones.
    await addSome();
    await reading;
    expect(seen.slice(0, 200)).toEqual(upTo(200));
  },
);

live("each type of Redis has its commands, and tombstones delete", async () => {
  const record = (value: SinkRecord["value"], offset: number, key: SinkRecord["key"] = "k") =>
    sinkRecord(value, offset, { key });
  const run = (type: string, records: SinkRecord[], more: Record<string, string> = {}) =>
    runSink(
      redisSink,
      sink({
        "redis.type": type,
        "redis.offsets.key": `offsets:${type}`,
        ...more,
      }),
      records,
    );
  await run("HASH", [
    record({ a: 1, b: "x", c: { d: [1] } }, 0),
    record({ b: null, e: 2n ** 60n }, 1),
  ]);
  expect(await server.cli("HGETALL", "test:k")).toEqual(
    ["a", "1", "c", '{"d":[1]}', "e", "1152921504606846976"],
  );
  await run("HASH", [record(null, 2)]);
  expect(await server.cli("EXISTS", "test:k")).toEqual(["0"]);
  await run(
    "STRING",
    [record("v", 0), record(Uint8Array.of(0, 255), 1, "b"), record(null, 2, "c")],
    {
      "redis.key": "x-{key}",
      "redis.expire.ms": "60000",
    },
  );
  expect(await server.cli("GET", "x-k")).toEqual(["v"]);
  expect(await server.cli("STRLEN", "x-b")).toEqual(["2"]);
  expect(Number(await server.cli("PTTL", "x-k"))).toBeGreaterThan(1000);
  await run("LIST", [record("1", 0), record({ two: 2 }, 1)]);
  expect(await server.cli("LRANGE", "test", "0", "-1")).toEqual(["1", '{"two":2}']);
  await run("STREAM", [record("1", 0), record({ two: 2, none: null }, 1), record(null, 2)], {
    "redis.key": "stream",
    "redis.stream.key.field": "key",
  });
  const stream = await server.cli("XRANGE", "stream", "-", "+");
  expect(stream.filter((line) => !/^\d{13}-/.test(line))).toEqual(
    ["key", "k", "value", "1", "key", "k", "two", "2", "key", "k"],
  );
  const listening = server.cli("SUBSCRIBE", "channel");
  while ((await server.cli("PUBSUB", "NUMSUB", "channel"))[1] !== "1") await Bun.sleep(5);
  await run("PUBSUB", [record("m", 0)], { "redis.key": "channel" });
  await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
  expect((await listening).slice(0, 6).at(-1)).toBe("m");
});

live("what Redis cannot take is rejected alone, and not looked at again", async () => {
  await server.cli("SET", "bad", "no stream");
  const config = sink({ "redis.key": "{key}", "batch.size": "4" });
  const records = upTo(10).map((n) =>
    sinkRecord(n === 7 ? null : { n }, n, { key: n % 3 === 2 ? "bad" : "good" })
  );
  const run = await runSink(redisSink, config, records);
  expect(run.rejected.map(({ record }) => Number(record.offset)).sort()).toEqual([2, 5, 7, 8]);
  const why = (offset: bigint) =>
    run.rejected.find(({ record }) => record.offset === offset)?.error;
  expect(why(2n)?.message).toContain("WRONGTYPE");
  expect(why(7n)?.message).toContain("redis.stream.key.field");
  expect(await entries("good")).toEqual([0, 1, 3, 4, 6, 9]);
  const again = await startSink(redisSink, config);
  expect(await again.assign([{ topic: "test", partition: 0 }])).toMatchObject([{ offset: 10n }]);
  await again.crash();
});

live("killed workers, doubles and a second task write each record once", async () => {
  const config = sink({ "batch.size": "7" });
  const first = await startSink(redisSink, config);
  await first.write(numbered(0, 20));
  // The group knows of nothing: it has to be Redis that does.
  await first.crash();
  const second = await startSink(redisSink, config);
  const third = await startSink(redisSink, config);
  await third.assign([{ topic: "test", partition: 0 }]);
  await second.write(numbered(0, 40));
  // It believes that it has the partition, and is late.
  await third.write(numbered(15, 60));
  await second.stop();
  await third.stop();
  expect(await entries("test")).toEqual(upTo(60));
});

live(
  "a server that is killed, full, or frozen holds the sink up; nothing is lost or doubled",
  async () => {
    const run = await startSink(redisSink, sink({ "redis.timeout.ms": "300", "batch.size": "10" }));
    await run.write(numbered(0, 50));
    const throughTrouble = async (
      from: number,
      begin: () => Promise<unknown> | void,
      end: () => Promise<unknown> | void,
    ) => {
      await begin();
      const before = run.retries;
      const writing = run.write(numbered(from, from + 50));
      while (run.retries < before + 2) await Bun.sleep(5);
      await end();
      await writing;
    };
    await throughTrouble(50, () => server.down(), () => server.up());
    await throughTrouble(100, () => server.freeze(), () => server.thaw());
    await throughTrouble(
      150,
      () => server.cli("CONFIG", "SET", "maxmemory", "1"),
      () => server.cli("CONFIG", "SET", "maxmemory", "0"),
    );
    await throughTrouble(
      200,
      () => server.cli("REPLICAOF", "127.0.0.1", "1"),
      () => server.cli("REPLICAOF", "NO", "ONE"),
    );
    await run.stop();
    expect(run.committed()).toEqual({ "test-0": 250n });
    expect(await entries("test")).toEqual(upTo(250));
  },
);

live("what Redis has lost is written again", async () => {
  const run = await startSink(redisSink, sink());
  await run.write(numbered(0, 10));
  // As a failover to a replica that had not heard of the last ones.
  const last = (await server.cli("XREVRANGE", "test", "+", "-", "COUNT", "3"))
    .filter((line) => /^\d{13}-/.test(line));
  await server.cli("XDEL", "test", ...last);
  await server.cli("HSET", "kstream:offsets:test", "test-0", "7");
  await expect(run.write(numbered(10, 12))).rejects.toThrow("has noted offset 7, not 10");
  await run.crash();
  await runSink(redisSink, sink(), numbered(0, 12));
  expect(await entries("test")).toEqual(upTo(12));
});

live(
  "TLS with certificates and ACLs let in; what is wrong is said without the password",
  async () => {
    const authority = new TestAuthority();
    const [own, client] = [authority.sign("server"), authority.sign("client")];
    const tls = ["--cert", client.certFile, "--key", client.keyFile, "--cacert", authority.caFile];
    const secure = await RedisServer.start({
      tls: true,
      args: [
        ...["--tls-cert-file", own.certFile, "--tls-key-file", own.keyFile],
        ...["--tls-ca-cert-file", authority.caFile],
        ..."--user writer on >s3cret-word ~* +@all -scan".split(" "),
        ..."--user default on nopass ~* +@all".split(" "),
      ],
      cliArgs: ["--tls", ...tls],
    });
    try {
      const config = {
        ...secure.config,
        "redis.username": "writer",
        "redis.password": "s3cret-word",
        "tls.ca.file": authority.caFile,
        "tls.certificate.file": client.certFile,
        "tls.key.file": client.keyFile,
      };
      await runSink(redisSink, config, numbered(0, 3));
      expect(await secure.cli("XLEN", "test")).toEqual(["3"]);
      const { "tls.ca.file": _, ...strange } = config;
      const distrusted = startSource(redisSource, { ...strange, "redis.stream.name": "test" });
      await expect(distrusted.next()).rejects.toThrow("cannot be reached");
      const patterned = startSource(redisSource, { ...config, "redis.stream.pattern": "t*" });
      await expect(patterned.next()).rejects.toThrow("NOPERM");
      const wrong = startSource(redisSource, {
        ...config,
        "redis.stream.name": "test",
        "redis.password": "wr0ng",
      });
      await expect(wrong.next()).rejects.toThrow("redis.username and redis.password are not right");
      const said = [...distrusted.log, ...patterned.log, ...wrong.log].join("\n");
      expect(said).not.toMatch(/s3cret-word|wr0ng/);
      for (const run of [distrusted, patterned, wrong]) await run.stop();
    } finally {
      await secure.stop();
      authority.dispose();
    }
  },
);
