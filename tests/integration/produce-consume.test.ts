/** `kstream produce` and `kstream consume` against a running broker: bytes in, the same bytes out. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok, shell } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({
    args: ["--topic", "three:3", "--topic", "numbers", "--topic", "grouped:2"],
  });
  at = { brokers: broker.bootstrap };
  await ok(["produce", "numbers"], { ...at, input: lines(0, 1000) });
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

/** `from` … `to` − 1, one a line. */
function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join("");
}

/** Bytes that hold every value, from a generator that is the same each time. */
function everyByte(count: number): Uint8Array<ArrayBuffer> {
  let state = 1;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

async function produce(
  topic: string,
  input: string | Uint8Array<ArrayBuffer>,
  ...args: string[]
): Promise<void> {
  const { exitCode, stderr } = await kstream(["produce", topic, ...args], { ...at, input });
  expect([exitCode, stderr.split("\n").at(-2)]).toEqual([
    0,
    expect.stringMatching(/^sent (\d+), acknowledged \1, failed 0$/),
  ]);
}

const consume = (topic: string, ...args: string[]) => ok(["consume", topic, "-e", ...args], at);

test("the main job: files into a topic that is made for them, and back", async () => {
  const cwd = freshDir("main-job");
  writeFileSync(join(cwd, "one.log"), "first\nsecond\n");
  writeFileSync(join(cwd, "two.log"), "third\nlast without newline");
  const produced = await kstream(["produce", "logs", "one.log", "two.log"], { ...at, cwd });
  expect(produced.stderr).toContain('created topic "logs"');
  expect(produced.stderr).toEndWith("sent 4, acknowledged 4, failed 0\n");
  expect(produced.exitCode).toBe(0);
  expect(await consume("logs")).toBe("first\nsecond\nthird\nlast without newline\n");
  await produce("logs", "from stdin\n", "-");
  expect(await consume("logs", "-o", "-1")).toBe("from stdin\n");
});

test("empty lines are empty values, carriage returns stay, nothing in is nothing out", async () => {
  await produce("shapes", "\n\na\r\n b \n");
  const shown = await consume("shapes", "-f", "%o[%v]\\n");
  expect(shown).toBe("0[]\n1[]\n2[a\r]\n3[ b ]\n");
  await produce("shapes", "");
  expect(await consume("shapes", "-f", "%o\\n", "-o", "-1")).toBe("3\n");
});

test("bytes are never altered, with any codec, nor on the way through JSON", async () => {
  const cwd = freshDir("bytes");
  writeFileSync(join(cwd, "in"), everyByte(50_000));
  const script = `
    for codec in none gzip snappy lz4 zstd; do
      kstream produce bytes-$codec -z $codec in 2>/dev/null || exit 10
      kstream consume bytes-$codec -e | head -c 50000 | cmp - in || exit 11
    done
    kstream consume bytes-none -e -f json | kstream produce through-json -f json 2>/dev/null || exit 12
    kstream consume through-json -e | head -c 50000 | cmp - in || exit 13`;
  expect(await shell(script, { ...at, cwd })).toMatchObject({ exitCode: 0 });
});

test("keys, headers and partitions arrive; equal keys meet in one partition", async () => {
  await produce("three", "k1:v1\nk2:v2\nk1:v3\nno key\n", "-K", ":", "-H", "a=1", "-H", "a=2");
  const records = (await consume("three", "-f", "json")).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  const k1 = records.filter(({ key }) => key === "k1");
  expect(k1.map(({ value }) => value)).toEqual(["v1", "v3"]);
  expect(k1[0].partition).toBe(k1[1].partition);
  expect(records.find(({ value }) => value === "no key")).toMatchObject({ key: null });
  for (const { headers } of records) expect(headers).toEqual([["a", "1"], ["a", "2"]]);

  await produce("three", "exactly here\n", "-p", "2");
  expect(await consume("three", "-p", "2", "-o", "-1")).toBe("exactly here\n");
  await fails(["produce", "three", "-p", "3"], 1, ["no partition 3"], { ...at, input: "x\n" });
  await fails(["consume", "three", "-p", "3", "-e"], 1, ["no partition 3"], at);
});

test("a JSON envelope loses nothing: null, empty, binary, headers, time, partition", async () => {
  const envelopes = [
    '"timestamp":1700000000000,"key":null,"value":null,"headers":[]',
    '"timestamp":1700000000001,"key":"","value":"","headers":[["h",null],["h",""],["h","x"]]',
    '"timestamp":1700000000002,"key":{"base64":"/w=="},"value":{"base64":"gA=="},"headers":[]',
    '"timestamp":1700000000003,"key":"null","value":"gr\u00fc\u00df \\"dich\\"","headers":[]',
  ].map((rest, i) => `{"topic":"envelopes","partition":0,"offset":${i},${rest}}\n`).join("");
  await produce("envelopes", envelopes, "-f", "json");
  expect(await consume("envelopes", "-f", "json")).toBe(envelopes);
});

test("bad envelopes end it, and what came before is delivered and counted", async () => {
  const input = '{"value":"good"}\nnonsense\n{"value":"never read"}\n';
  const finished = await kstream(["produce", "half", "-f", "json"], { ...at, input });
  expect(finished.exitCode).toBe(4);
  expect(finished.stderr).toContain("line 2");
  expect(finished.stderr).toContain("sent 1, acknowledged 1, failed 0");
  expect(await consume("half")).toBe("good\n");
});

test("expressions choose, change and key records, and errors point into them", async () => {
  const input = '{"id":1,"total":5}\n{"id":2,"total":500}\n{"id":3,"total":900}\n';
  await ok(["produce", "chosen", "--where", "v.total > 100", "--key-by", "v.id"], { ...at, input });
  const shown = ["--where", 'k === "3"', "--map", "({...v, big: true})", "-f", "%k %v\\n"];
  expect(await ok(["consume", "chosen", "-e", ...shown], at))
    .toBe('3 {"id":3,"total":900,"big":true}\n');
  const typo = await kstream(["consume", "chosen", "-e", "--where", "valu.total > 1"], at);
  expect([typo.exitCode, typo.stderr]).toEqual([
    2,
    'kstream: --where cannot be read: unknown name "valu": did you mean "value"?\n' +
    "  valu.total > 1\n  ^^^^\n",
  ]);
  const wrong = await kstream(["consume", "chosen", "-e", "--map", "v.total.trim()"], at);
  expect(wrong.exitCode).toBe(1);
  expect(wrong.stderr).toStartWith("kstream: --map fails for chosen-0@0: a number has no method");
});

test("every kind of acknowledgement delivers", async () => {
  for (const acks of ["0", "1", "all"]) await produce("acks", lines(0, 500), "--acks", acks);
  expect(await consume("acks")).toBe(lines(0, 500).repeat(3));
});

test("of a batch that is too large only the culprit fails", async () => {
  const input = `small\n${"x".repeat(3_000_000)}\nsmall too\n`;
  const finished = await kstream(["produce", "large"], { ...at, input });
  expect(finished.exitCode).toBe(4);
  expect(finished.stderr).toContain("MESSAGE_TOO_LARGE");
  expect(finished.stderr).toEndWith("sent 3, acknowledged 2, failed 1\n");
  expect(await consume("large")).toBe("small\nsmall too\n");
  const alone = await kstream(["produce", "large"], { ...at, input: "y".repeat(3_000_000) });
  expect(alone.exitCode).toBe(1);
});

test("what cannot work ends with the code for it", async () => {
  const input = "x\n";
  await fails(["produce", "nowhere", "--no-create"], 1, ["nowhere"], { ...at, input });
  await fails(["produce", "nubmers", "--no-create"], 1, ['"numbers"'], { ...at, input });
  await fails(["produce", "t", "-b", "127.0.0.1:1"], 3, ["127.0.0.1:1"], { input });
  await fails(["consume", "t", "-b", "127.0.0.1:1"], 3, ["127.0.0.1:1"]);
  await fails(["consume", "nubmers"], 1, ['did you mean "numbers"'], at);
  await fails(["produce", "t", "-z", "zip"], 2, ["zstd"], at);
  await fails(["produce", "t", "--acks", "2"], 2, ["0, 1, all"], at);
  await fails(["produce"], 2, ["topic"], at);
  await fails(["consume", "numbers", "-o", "sometime"], 2, ["sometime"], at);
  await fails(["consume", "numbers", "-f", "%q"], 2, ["%q"], at);
  await fails(["consume", "numbers", "-p", "x"], 2, ["no list of partitions"], at);
  await fails(["consume", "numbers", "-n", "0"], 2, ["whole number"], at);
  const noPartition = 'topic "numbers" has no partition 99: it has ';
  await fails(["consume", "numbers", "-p", "99"], 1, [noPartition], at);
  await fails(["produce", "numbers", "-p", "99"], 1, [noPartition], { ...at, input });
  const missing = await kstream(["produce", "numbers", "missing.log"], at);
  expect(missing.exitCode).toBe(1);
  expect(missing.stderr).toContain("missing.log");
});

test("offsets and ranges: from, to, relative, by time", async () => {
  expect(await consume("numbers")).toBe(lines(0, 1000));
  expect(await consume("numbers", "-o", "start")).toBe(lines(0, 1000));
  expect(await consume("numbers", "-o", "end")).toBe("");
  expect(await consume("numbers", "-o", "990")).toBe(lines(990, 1000));
  expect(await consume("numbers", "-o", "+990")).toBe(lines(990, 1000));
  expect(await consume("numbers", "-o", "-3")).toBe(lines(997, 1000));
  expect(await consume("numbers", "-o", "@-1h:end")).toBe(lines(0, 1000));
  expect(await consume("numbers", "-o", "@1600000000", "-n", "2")).toBe(lines(0, 2));
  expect(await ok(["consume", "numbers", "-o", "42:45"], at)).toBe(lines(42, 45));
  expect(await ok(["consume", "numbers", "-n", "3"], at)).toBe(lines(0, 3));
  const short = await kstream(["consume", "numbers", "-o", "998:1005", "-e"], at);
  expect(short).toMatchObject({ exitCode: 4, stdout: lines(998, 1000) });
  expect(short.stderr).toContain("5 records of numbers-0 are not written yet");
});

test("formats have kcat's and rpk's letters", async () => {
  await produce("formats", "key=value\n", "-K", "=", "-H", "h=1");
  const format = "%t|%p|%o|%k|%v|%s|%K|%S|%h|%%\\t%v{hex}\\n";
  expect(await consume("formats", "-f", format)).toBe(
    "formats|0|0|key|value|value|3|5|h=1|%\t76616c7565\n",
  );
});

test("a closed pipe ends it quietly", async () => {
  const finished = await shell("kstream consume numbers | head -n 2", at);
  expect(finished).toEqual({ exitCode: 0, stdout: "0\n1\n", stderr: "" });
});

test("it goes on reading what comes later; SIGINT and SIGTERM end it with 0", async () => {
  await ok(["topic", "create", "later"], at);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const reader = Bun.spawn([KSTREAM, "consume", "later", "-b", at.brokers, "-o", "end"], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const stdout = reader.stdout.getReader();
    const first = stdout.read();
    // It begins at what is the end by then, so one of the first records tells that it has begun.
    let begun = false;
    void first.then(() => begun = true);
    while (!begun) await produce("later", "waiting\n");
    await produce("later", "last\n");
    let text = new TextDecoder().decode((await first).value);
    while (!text.endsWith("last\n")) text += new TextDecoder().decode((await stdout.read()).value);
    expect(text).toMatch(/^(waiting\n)+last\n$/);
    reader.kill(signal);
    expect(await reader.exited).toBe(0);
    expect(await new Response(reader.stderr).text()).toBe("");
  }
});

test("a group goes on where it was, and commits only what standard output took", async () => {
  await produce("grouped", lines(0, 100), "-p", "0");
  expect(await ok(["consume", "grouped", "-g", "team", "-n", "10"], at)).toBe(lines(0, 10));
  expect(await ok(["consume", "grouped", "-g", "team", "-n", "5"], at)).toBe(lines(10, 15));
  expect(await ok(["consume", "grouped", "-g", "team", "-e"], at)).toBe(lines(15, 100));
  expect(await ok(["consume", "grouped", "-g", "team", "-e"], at)).toBe("");
  expect(await ok(["consume", "grouped", "-g", "other", "-n", "1"], at)).toBe("0\n");
});

test("what a closed pipe did not take is not committed", async () => {
  await ok(["topic", "create", "untaken"], at);
  await produce("untaken", lines(0, 300_000));
  const taken = await shell("kstream consume untaken -g cut -e | head -n 3", at);
  expect(taken.stdout).toBe("0\n1\n2\n");
  // A pipe holds 64 kB and head reads little more, of 2 MB.
  const again = await ok(["consume", "untaken", "-g", "cut", "-n", "1"], at);
  expect(Number(again)).toBeLessThan(100_000);
});

test("broken pipes of tables and JSON are quiet too", async () => {
  for (const command of ["topic list", "topic describe --json", "topic create --help"]) {
    const finished = await shell(`kstream ${command} | true`, at);
    expect([finished.exitCode, finished.stderr]).toEqual([0, ""]);
  }
});

test("their flags come from the environment and kstream.toml too", async () => {
  const cwd = freshDir("flags");
  const toml = '[produce]\nkey-delimiter = "="\nheader = ["a=1", "b=2"]\n' +
    '[consume]\nexit-at-end = true\nformat = "%k>%v %h\\n"\n';
  writeFileSync(join(cwd, "kstream.toml"), toml);
  await ok(["produce", "flags"], { ...at, cwd, input: "k=v\n" });
  expect(await ok(["consume", "flags"], { ...at, cwd })).toBe("k>v a=1,b=2\n");
  const env = { KSTREAM_FORMAT: "%v\\n", KSTREAM_COUNT: "1" };
  expect(await ok(["consume", "flags"], { ...at, cwd, env })).toBe("v\n");
  expect(await ok(["consume", "flags", "-f", "%k\\n"], { ...at, cwd, env })).toBe("k\n");
});

test("consume ends with 3 when the broker is gone for longer than --timeout", async () => {
  const own = await startBrokerProcess({ args: ["--topic", "t"] });
  const to = { brokers: own.bootstrap };
  await ok(["produce", "t"], { ...to, input: "a\n" });
  const args = [["--timeout", "1"], ["--timeout", "1", "-g", "g"]];
  const pending = args.map((more) => kstream(["consume", "t", ...more], to));
  await ok(["consume", "t", "-n", "1"], to);
  const reading = async () =>
    JSON.parse(await ok(["group", "list", "--json"], to)).some(
      (group: { group: string; state: string }) => group.state === "Stable",
    );
  while (!await reading());
  await own.stop("SIGKILL");
  for (const { exitCode, stderr } of await Promise.all(pending)) {
    expect([exitCode, stderr]).toEqual([3, stderr]);
    expect(stderr.trimEnd().split("\n").at(-1)).toStartWith("kstream: ");
  }
});
