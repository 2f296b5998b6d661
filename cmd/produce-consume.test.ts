/** The two commands against a broker in this process, on a disk in memory. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { runConsume } from "./consume/run.ts";
import type { ConsumeSettings } from "./consume/run.ts";
import { envelopePrinter } from "./consume/format/envelope-printer.ts";
import { parseFormat } from "./consume/format/format.ts";
import type { Printer } from "./consume/format/printer.ts";
import { printValueLine } from "./consume/format/record-format.ts";
import { recordSelector, recordTransform } from "../core/expression/record-expressions.ts";
import { parseOffsetRange } from "../core/text/offset-range.ts";
import { delimited } from "../core/text/framing.ts";
import { Head, openInput } from "./produce/inputs.ts";
import { runProduce } from "./produce/run.ts";
import type { ProduceSettings } from "./produce/run.ts";
import { startBroker } from "../broker/start-broker.ts";
import type { RunningBroker } from "../broker/start-broker.ts";
import { Admin } from "../client/admin.ts";
import { bunCodecs } from "../core/compression/bun.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { clientIo } from "./client.ts";

let broker: RunningBroker;
let admin: Admin;

beforeAll(async () => {
  const disk = new MemoryDisk({ wallMs: () => clientIo.clock.wallMs(), maxBytes: 1 << 28 });
  const io = { ...bunIo(), disk };
  broker = await startBroker({ io, logger: silentLogger, dataDir: "/data" });
  admin = new Admin(clientIo, client());
});

afterAll(async () => {
  admin.close();
  await broker.stop();
});

const client = () => ({ brokers: [{ host: "127.0.0.1", port: broker.port }] });
const printEnvelope: Printer = (output, record, place) => {
  envelopePrinter("string", "string")(output, record, place);
  output.byte(10);
};
const never = new AbortController().signal;

interface Outcome {
  readonly code: number;
  readonly said: string[];
}

async function produce(
  topic: string,
  input: string | Uint8Array,
  settings: Partial<ProduceSettings> = {},
): Promise<Outcome> {
  const bytes = Buffer.from(input as string);
  let position = 0;
  const said: string[] = [];
  const code = await runProduce({
    topic,
    client: client(),
    ...{ format: "lines", key: "string", value: "string", keyDelimiter: null, nullMarker: null },
    csv: { separator: ",", keyColumn: null, valueColumn: null },
    framing: delimited(Buffer.from("\n")),
    partition: -1,
    repartition: false,
    repartitionName: "--repartition",
    headers: [],
    transform: null,
    acks: "all",
    compression: "none",
    codecs: bunCodecs,
    create: true,
    waitTopic: false,
    timeoutMs: 10_000,
    onError: { kind: "stop" },
    resume: null,
    commitMs: 500,
    fromStart: false,
    ...settings,
  }, {
    client: clientIo,
    inputs: async function* () {
      yield openInput(null, 0, new Head(), null, (into, at) => {
        const count = Math.min(into.length - at, bytes.length - position);
        into.set(bytes.subarray(position, position + count), at);
        position += count;
        return Promise.resolve(count);
      });
    },
    totalBytes: null,
    say: (line) => said.push(line),
    progress: null,
    signal: never,
  });
  return { code, said };
}

const memberOf = (groupId: string) => ({ groupId, groupProtocol: "classic" as const });

/** Consumes to the end; `takes` is how many bytes the reader takes before it goes away. */
async function consume(
  topic: string,
  settings: Partial<ConsumeSettings> = {},
  { takes = Infinity, signal = never }: { takes?: number; signal?: AbortSignal } = {},
): Promise<Outcome & { output: string }> {
  const said: string[] = [];
  let output = "";
  const code = await runConsume({
    topics: [topic],
    waitTopic: false,
    latest: null,
    client: client(),
    codecs: bunCodecs,
    partitions: null,
    range: parseOffsetRange("start", Date.now()),
    count: null,
    exitAtEnd: true,
    idleTimeoutMs: null,
    group: null,
    isolationLevel: "read_uncommitted",
    select: null,
    print: printValueLine,
    ...settings,
  }, {
    client: clientIo,
    write: (bytes) => {
      if (output.length + bytes.length > takes) return Promise.resolve(false);
      output += Buffer.from(bytes).toString("latin1");
      return Promise.resolve(true);
    },
    readerGone: () => false,
    say: (line) => said.push(line),
    signal,
  });
  return { code, said, output };
}

const range = (text: string) => parseOffsetRange(text, Date.now());

test("bytes come back as they went in, with every codec", async () => {
  const input = Buffer.from("plain\r\n\n\xff\xfe\0binary\nlast", "latin1");
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
    const made = await produce(`bytes-${compression}`, input, { compression });
    expect(made.said).toEqual([
      `created topic "bytes-${compression}" with 1 partition`,
      "sent 4, acknowledged 4, failed 0",
    ]);
    expect(made.code).toBe(0);
    const { output, code } = await consume(`bytes-${compression}`);
    expect({ output, code }).toEqual({ output: input.toString("latin1") + "\n", code: 0 });
  }
});

test("keys, headers and partitions", async () => {
  await admin.createTopics([{ name: "keyed", partitions: 3 }]);
  const headers = [["h", Buffer.from("1")], ["n", null]] as const;
  await produce("keyed", "k1::v1\nno key\n::empty key\nk2::a::b\n", {
    keyDelimiter: Buffer.from("::"),
    headers,
    partition: 2,
  });
  const { output } = await consume("keyed", { print: parseFormat("%p %K %k|%v|%h\\n") });
  expect(output).toBe(
    "2 2 k1|v1|h=1,n\n2 -1 |no key|h=1,n\n2 0 |empty key|h=1,n\n2 2 k2|a::b|h=1,n\n",
  );
  const plain = await produce("keyed", "a:1\nb\n", {
    keyDelimiter: Buffer.from(":"),
    partition: 1,
  });
  expect(plain.code).toBe(0);
  const second = await consume("keyed", { print: parseFormat("%K %v;"), partitions: [1] });
  expect(second.output).toBe("1 1;-1 b;");
});

test("envelopes of one topic make the same records in another", async () => {
  const lines = [
    '{"key":null,"value":null,"headers":[["a","1"],["a",null]],"timestamp":1700000000000}',
    '{"key":"","value":"null","partition":0}',
    '{"key":{"base64":"/wA="},"value":{"base64":"gA=="}}',
  ];
  await produce("json-a", lines.join("\n"), { format: "json" });
  const first = await consume("json-a", { print: printEnvelope });
  await produce("json-b", first.output, { format: "json" });
  const second = await consume("json-b", { print: printEnvelope });
  expect(second.output).toBe(first.output.replaceAll("json-a", "json-b"));
  expect(first.output).toContain('"key":"","value":"null"');
});

test("a bad envelope ends the input, and what came before it is delivered", async () => {
  const { code, said } = await produce("json-c", '{"value":"x"}\n{"valeu":1}\n{"value":"y"}\n', {
    format: "json",
  });
  expect(code).toBe(4);
  expect(said.at(-1)).toBe("sent 1, acknowledged 1, failed 0, the rest was not read");
  expect((await consume("json-c")).output).toBe("x\n");
});

test("of lines too large only the culprits fail", async () => {
  await admin.createTopics([{ name: "large", configs: { "max.message.bytes": "10000" } }]);
  const small = Array.from({ length: 500 }, (_, i) => `line ${i}`);
  const lines = [...small.slice(0, 250), "x".repeat(20_000), ...small.slice(250)];
  const { code, said } = await produce("large", lines.join("\n"));
  expect(code).toBe(4);
  expect(said.at(-1)).toBe("sent 501, acknowledged 500, failed 1");
  expect((await consume("large")).output).toBe(small.join("\n") + "\n");
});

test("missing topics and partitions are errors with a hint", async () => {
  await admin.createTopics([{ name: "orders" }]);
  await expect(consume("order")).rejects.toThrow('did you mean "orders"?');
  await expect(produce("order", "x", { create: false })).rejects.toThrow('did you mean "orders"?');
  await expect(produce("orders", "x", { partition: 9 })).rejects.toThrow("no partition 9");
  await expect(consume("orders", { partitions: [9] })).rejects.toThrow("no partition 9");
  const nobody = { brokers: [{ host: "127.0.0.1", port: 1 }] };
  await expect(consume("orders", { client: nobody })).rejects.toThrow("127.0.0.1:1");
  await expect(consume("order")).rejects.toBeInstanceOf(OperatorError);
});

test("ranges", async () => {
  await produce("ranges", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  const read = async (text: string, more: Partial<ConsumeSettings> = {}) => {
    const { output, code } = await consume("ranges", { range: range(text), ...more });
    return `${output.replaceAll("\n", "")} ${code}`;
  };
  expect(await read("start")).toBe("0123456789 0");
  expect(await read("7")).toBe("789 0");
  expect(await read("+8")).toBe("89 0");
  expect(await read("-3")).toBe("789 0");
  expect(await read("-30")).toBe("0123456789 0");
  expect(await read("end")).toBe(" 0");
  expect(await read("2:5", { exitAtEnd: false })).toBe("234 0");
  expect(await read(":end", { exitAtEnd: false })).toBe("0123456789 0");
  expect(await read("@-1h:end", { exitAtEnd: false })).toBe("0123456789 0");
  expect(await read("@1000000000:@1000000001", { exitAtEnd: false })).toBe(" 0");
  expect(await read("start", { count: 4, exitAtEnd: false })).toBe("0123 0");
  expect(await read("20")).toBe(" 0");
  await admin.deleteRecords([{ topic: "ranges", partition: 0, before: 4n }]);
  expect(await read("2:6")).toBe("45 4");
  expect(await read("start")).toBe("456789 0");
});

test("a group goes on behind what the reader took", async () => {
  const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`);
  for (let i = 0; i < 200; i += 50) {
    await produce("grouped", lines.slice(i, i + 50).join("\n"));
  }
  const first = await consume("grouped", { group: memberOf("g"), count: 30, exitAtEnd: false });
  expect(first.output.split("\n").length - 1).toBe(30);
  // This reader goes away at once: nothing of it may be committed.
  const gone = await consume("grouped", { group: memberOf("g") }, { takes: 0 });
  expect(gone).toMatchObject({ output: "", code: 0 });
  const rest = await consume("grouped", { group: memberOf("g") });
  expect(first.output + rest.output).toBe(lines.join("\n") + "\n");
  expect((await consume("grouped", { group: memberOf("g") })).output).toBe("");
});

test("two members of a group share the partitions, and lose and double nothing", async () => {
  await admin.createTopics([{ name: "shared", partitions: 4 }]);
  const stop = new AbortController();
  const members = [1, 2].map(() =>
    consume("shared", { group: memberOf("both"), exitAtEnd: false }, { signal: stop.signal })
  );
  const settled = async () => {
    const group = await admin.groups.describe("both").catch(() => null);
    return group?.state === "Stable" && group.members.length === 2 &&
      group.members.every(({ assignment }) => assignment[0]?.partitions.length === 2);
  };
  while (!await settled());
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`);
  for (const partition of [0, 1, 2, 3]) {
    await produce("shared", lines.slice(partition * 25, partition * 25 + 25).join("\n"), {
      partition,
    });
  }
  const committed = async () => {
    const offsets = await admin.groups.listOffsets("both");
    return offsets.reduce((sum, { offset }) => sum + Number(offset), 0);
  };
  while (await committed() < 100);
  stop.abort();
  const [one, two] = await Promise.all(members);
  expect([one!.code, two!.code]).toEqual([0, 0]);
  const got = [one!, two!].map(({ output }) => output.split("\n").slice(0, -1));
  expect(got.map(({ length }) => length)).toEqual([50, 50]);
  expect(got.flat().sort()).toEqual([...lines].sort());
}, 20_000);

test("produce leaves out, maps and keys by expressions", async () => {
  const lines = '{"id":1,"total":5}\n{"id":2,"total":500}\nnot json\n{"id":3,"total":900}\n';
  const made = await produce("expressed", lines, {
    transform: recordTransform({
      where: "v.total > 100",
      map: "({...v, big: true})",
      keyBy: "v.id",
    }),
  });
  expect(made.said.at(-1)).toBe("sent 2, acknowledged 2, failed 0, left out 2");
  expect(made.code).toBe(0);
  const { output } = await consume("expressed", { print: parseFormat("%k %v\\n") });
  expect(output).toBe('2 {"id":2,"total":500,"big":true}\n3 {"id":3,"total":900,"big":true}\n');
});

test("a line that an expression fails on is named, those before it are delivered", async () => {
  const made = await produce("half-expressed", "1\n2\nx\n", {
    transform: recordTransform({ where: "v !== 1", map: "v.toFixed(1)" }),
  });
  expect(made.said.slice(-3)).toEqual([
    'kstream: line 3: --map fails: a string has no method "toFixed"',
    "  v.toFixed(1)\n  ^^^^^^^^^^^^",
    "sent 1, acknowledged 1, failed 0, left out 1, the rest was not read",
  ]);
  expect(made.code).toBe(4);
});

test("consume shows what --where leaves, as --map wants it", async () => {
  await produce("shown", '{"t":1}\n{"t":2,"n":"b"}\n{"t":3,"n":"c"}\n{"t":4,"n":"d"}\n');
  const select = recordSelector({ where: "v.t > 1 && v.t !== 3", map: "v.n" });
  expect((await consume("shown", { select, print: parseFormat("%o %v %S\\n") })).output)
    .toBe("1 b 1\n3 d 1\n");
  const first = recordSelector({ where: "v.t > 2" });
  expect((await consume("shown", { select: first, count: 1 })).output).toBe('{"t":3,"n":"c"}\n');
});

test("what comes before a record that an expression fails on is printed and committed", async () => {
  await produce("fails", "1\n2\nx\n4\n");
  const select = recordSelector({ map: "v.toFixed(1)" });
  const output: string[] = [];
  const reading = runConsume({
    ...{
      topics: ["fails"],
      waitTopic: false,
      latest: null,
      client: client(),
      codecs: bunCodecs,
      partitions: null,
      count: null,
    },
    ...{ range: range("start"), exitAtEnd: true, idleTimeoutMs: null, group: memberOf("failing") },
    ...{ isolationLevel: "read_uncommitted", select, print: printValueLine },
  }, {
    client: clientIo,
    write: (bytes) => {
      output.push(Buffer.from(bytes).toString());
      return Promise.resolve(true);
    },
    readerGone: () => false,
    say: () => {},
    signal: never,
  });
  await reading.catch((error) =>
    expect(error.message).toBe(
      '--map fails for fails-0@2: a string has no method "toFixed"',
    )
  );
  await expect(reading).rejects.toThrow("--map fails");
  expect(output.join("")).toBe("1.0\n2.0\n");
  const again = recordSelector({ map: "valueText" });
  expect((await consume("fails", { group: memberOf("failing"), select: again })).output).toBe(
    "x\n4\n",
  );
});

test("what is deleted while it is read is told, and does not hold up the end", async () => {
  await admin.createTopics([{ name: "vanishing", partitions: 1 }]);
  await produce("vanishing", `${"x".repeat(99_999)}\n`.repeat(300));
  const said: string[] = [];
  let records = 0;
  const code = await runConsume({
    ...{ topics: ["vanishing"], waitTopic: false, latest: null, client: client() },
    ...{ codecs: bunCodecs, partitions: null, count: null, range: range("start") },
    ...{ exitAtEnd: true, idleTimeoutMs: null, group: null, select: null },
    ...{ isolationLevel: "read_uncommitted", print: printValueLine },
  }, {
    client: clientIo,
    write: async (bytes) => {
      // Only a few MB of the 30 are fetched ahead.
      if (records === 0) {
        await admin.deleteRecords([{ topic: "vanishing", partition: 0, before: 300n }]);
      }
      records += bytes.length / 100_000;
      return true;
    },
    readerGone: () => false,
    say: (line) => said.push(line),
    signal: never,
  });
  expect(records).toBeLessThan(300);
  expect([code, said]).toEqual([
    4,
    [`kstream: ${300 - records} records of vanishing-0 were deleted before they were read`],
  ]);
});

test("the envelope tells the time of the append from the producer's", async () => {
  const configs = { "message.timestamp.type": "LogAppendTime" };
  await admin.createTopics([{ name: "appended", partitions: 1, configs }]);
  await produce("appended", "x\n");
  const { output } = await consume("appended", { print: printEnvelope });
  expect(output).toEndWith(',"headers":[],"timestampType":"LogAppendTime"}\n');
  expect((await produce("appended-copy", output, { format: "json" })).code).toBe(0);
});
