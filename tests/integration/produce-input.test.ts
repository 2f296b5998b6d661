/** `kstream produce` and what its input may be: framings, CSV, kinds of payloads, and bad input. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess, withBroker } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok, shell } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory"] });
  at = { brokers: broker.bootstrap };
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

const SHOWN = ["-e", "-f", "%K:%k{hex} %S:%v{hex};"];

/** Produces the input and shows keys and values in hex, with their lengths (−1 is null). */
async function shown(topic: string, input: string | Uint8Array<ArrayBuffer>, ...args: string[]) {
  await ok(["produce", topic, ...args], { ...at, input });
  return await ok(["consume", topic, ...SHOWN], at);
}

/** Produces what is bad in part; returns the exit code and the lines on stderr. */
async function bad(topic: string, input: string, ...args: string[]): Promise<[number, string[]]> {
  const { exitCode, stderr } = await kstream(["produce", topic, ...args], { ...at, input });
  return [exitCode, stderr.trimEnd().split("\n").filter((line) => !line.startsWith("created "))];
}

const values = (topic: string) => ok(["consume", topic, "-e", "-f", "%v;"], at);

test("records end at NUL, at a text, or behind their length", async () => {
  const nul = (text: string) => text.replaceAll("|", "\0");
  await ok(["produce", "nul", "-0"], { ...at, input: nul("a\nb|c||last") });
  expect(await values("nul")).toBe("a\nb;c;;last;");
  await ok(["produce", "text", "-d", "\\n--\\n"], { ...at, input: "one\ntwo\n--\nthree" });
  expect(await values("text")).toBe("one\ntwo;three;");
  await ok(["produce", "nets", "--frame", "netstring"], { ...at, input: "1:a,0:,3:b\nc," });
  expect(await values("nets")).toBe("a;;b\nc;");
  await ok(["produce", "var", "--frame", "varint"], { ...at, input: "\x01a\x03b\nc" });
  expect(await values("var")).toBe("a;b\nc;");
});

test("what consume prints behind lengths comes back", async () => {
  const bytes = "binary\n\0\x01,two\n";
  await ok(["produce", "framed", "-d", ","], { ...at, input: bytes });
  const script =
    "kstream consume framed -e -f '%R%v' | kstream produce framed-copy --frame u32 2>/dev/null";
  expect((await shell(script, at)).exitCode).toBe(0);
  expect(await values("framed-copy")).toBe("binary\n\0\x01;two\n;");
});

test("keys and values are written as text, JSON, numbers, base64 or hex", async () => {
  expect(await shown("int", "-2:7\n2147483647:0\n", "-K", ":", "--key", "int", "--value", "long"))
    .toBe("4:fffffffe 8:0000000000000007;4:7fffffff 8:0000000000000000;");
  expect(await shown("hex", "00ff:/w==\n", "-K", ":", "--key", "hex", "--value", "base64"))
    .toBe("2:00ff 1:ff;");
  expect(await shown("nulls", "a:-\n-:b\n-:\n", "-K", ":", "--null-marker", "-"))
    .toBe("1:61 -1:;-1: 1:62;-1: 0:;");
  expect(await bad("int", "1\nx\n", "--value", "int"))
    .toEqual([4, [
      'kstream: line 2: the value "x" is no int32',
      "sent 1, acknowledged 1, failed 0, the rest was not read",
    ]]);
  const json = await bad("json", 'k:{"a":1}\nk:{"a" 1}\n', "-K", ":", "--value", "json");
  expect(json[1][0]).toStartWith("kstream: line 2, column 8: the value is no JSON: unexpected");
});

test("rows of CSV become JSON, or one column of them", async () => {
  const csv = 'id,name,10\r\n1,"a ""b"", c",x\r\n\r\n2,"two\nlines",-\r\n';
  await ok(["produce", "csv", "-f", "csv", "--key-column", "id", "--null-marker", "-"], {
    ...at,
    input: csv,
  });
  expect(await ok(["consume", "csv", "-e", "-f", "%k=%v\\n"], at)).toBe(
    '1={"id":"1","name":"a \\"b\\", c","10":"x"}\n2={"id":"2","name":"two\\nlines","10":null}\n',
  );
  const args = ["-f", "csv", "--separator", "\\t", "--key-column", "k", "--value-column", "v"];
  expect(await shown("tsv", "k\tv\nab\t7\n", ...args, "--value", "int")).toBe("2:6162 4:00000007;");
  expect(await bad("csv", 'a,b\n1,2\n"3\n",4\n5\n', "-f", "csv")).toEqual([4, [
    "kstream: line 5: 1 field, but 2 columns",
    "sent 2, acknowledged 2, failed 0, the rest was not read",
  ]]);
  expect((await bad("csv", "a\n1\n", "-f", "csv", "--key-column", "x"))[1][0])
    .toBe('kstream: line 1: no column "x", only a');
  expect((await bad("csv", 'a,b\n1,"2\n', "-f", "csv"))[1][0])
    .toBe("kstream: line 2: the input ends within quotes");
});

test("broken JSON names file, line and column; the input stops, skips or is kept elsewhere", async () => {
  const cwd = freshDir("bad");
  const good = (n: number) => `{"value":"${n}"}\n`;
  writeFileSync(join(cwd, "a.ndjson"), good(1) + '{"value":oops}\n' + good(2));
  writeFileSync(join(cwd, "b.ndjson"), '{"valeu":1}\n' + good(3));
  const run = (topic: string, ...args: string[]) =>
    kstream(["produce", topic, "-f", "json", ...args, "a.ndjson", "b.ndjson"], { ...at, cwd });
  const fault = 'a.ndjson: line 2, column 10: no JSON envelope: it is no JSON: unexpected "o"';

  const stopped = await run("stops");
  expect(stopped.exitCode).toBe(4);
  expect(stopped.stderr).toContain(`kstream: ${fault} instead of a value\n`);
  expect(stopped.stderr).toEndWith("sent 1, acknowledged 1, failed 0, the rest was not read\n");

  const skipped = await run("skips", "--on-error", "skip");
  expect(skipped.exitCode).toBe(4);
  expect(skipped.stderr).toContain(`kstream: ${fault}`);
  expect(skipped.stderr).toContain("b.ndjson: line 1: no JSON envelope: it has an unknown field");
  expect(skipped.stderr).toEndWith("sent 3, acknowledged 3, failed 0, skipped 2\n");
  expect(await values("skips")).toBe("1;2;3;");

  const kept = await run("keeps", "--on-error", "dlq:rejected");
  expect(kept.exitCode).toBe(0);
  expect(kept.stderr).toEndWith("sent 3, acknowledged 3, failed 0, dead letters 2\n");
  expect(await values("keeps")).toBe("1;2;3;");
  const letters = (await ok(["consume", "rejected", "-e", "-f", "json"], at)).trim().split("\n")
    .map((line) => JSON.parse(line));
  expect(letters.map(({ value }) => value)).toEqual(['{"value":oops}', '{"valeu":1}']);
  expect(Object.fromEntries(letters[0].headers)).toEqual({
    "kstream.error": expect.stringContaining("no JSON envelope"),
    "kstream.topic": "keeps",
    "kstream.input": "a.ndjson",
    "kstream.line": "2",
    "kstream.column": "10",
  });
});

test("what fails in an expression is bad like any other input", async () => {
  const input = '{"id":1}\n{"no":2}\n{"id":3}\n';
  const [code, said] = await bad("keyed", input, "--key-by", "v.id");
  const excerpt = ["  v.id", "  ^^^^"];
  const why = expect.stringMatching(/^kstream: line 2: --key-by fails: this gives undefined: /);
  expect([code, said]).toEqual([4, [
    ...[why, ...excerpt],
    "sent 1, acknowledged 1, failed 0, left out 0, the rest was not read",
  ]]);
  const [skipCode, skipped] = await bad("keyed2", input, "--key-by", "v.id", "--on-error", "skip");
  expect([skipCode, skipped.at(-1)])
    .toEqual([4, "sent 2, acknowledged 2, failed 0, left out 0, skipped 1"]);
  const dlq = ["--on-error", "dlq:unkeyed"];
  const [keptCode] = await bad("keyed3", input, "--where", "v.id ?? v.no.trim()", ...dlq);
  expect(keptCode).toBe(0);
  expect(await values("keyed3")).toBe('{"id":1};{"id":3};');
  const letter = JSON.parse(await ok(["consume", "unkeyed", "-e", "-f", "json"], at));
  expect(letter.value).toBe('{"no":2}');
  expect(letter.headers[0]).toEqual([
    "kstream.error",
    expect.stringMatching(/^--where fails: a number has no method "trim"[^\n]*$/),
  ]);
});

test("--json counts for scripts", async () => {
  const args = ["produce", "counted", "--json", "-f", "json", "--on-error", "skip"];
  const { exitCode, stdout } = await kstream(args, { ...at, input: '{"value":"1"}\nx\n' });
  expect([exitCode, JSON.parse(stdout)]).toEqual([4, {
    ...{ topic: "counted", sent: 1, acknowledged: 1, failed: 0, leftOut: 0, skipped: 1 },
    ...{ deadLetters: 0, complete: true },
  }]);
});

test("many bad lines are counted, not all printed", async () => {
  const [exitCode, said] = await bad(
    "many",
    "x\n".repeat(5000),
    "-f",
    "json",
    "--on-error",
    "skip",
  );
  expect(exitCode).toBe(1);
  expect(said.length).toBe(7);
  expect(said.at(-1)).toBe("sent 0, acknowledged 0, failed 0, skipped 5000");
});

test("a record that is too large is named by its line; the others are written", async () => {
  const large = "y".repeat(3_000_000);
  const [code, said] = await bad("large", `a\n${large}\nb\n`);
  expect(code).toBe(4);
  expect(said[0]).toMatch(/^kstream: line 2 of 3000000 bytes: .*MESSAGE_TOO_LARGE/);
  expect(said.slice(1)).toEqual(["sent 3, acknowledged 2, failed 1"]);
  const kept = await bad("large", `c\n${large}\nd\n`, "--on-error", "dlq:too-large");
  expect(kept).toEqual([0, [
    "kstream: line 2: too large, 3000000 bytes: the topic's max.message.bytes is lower",
    "sent 2, acknowledged 2, failed 0, dead letters 1",
  ]]);
  expect(await values("large")).toBe("a;b;c;d;");
  expect(await ok(["consume", "too-large", "-e", "-f", "%h %V\\n"], at))
    .toContain("kstream.bytes=3000000 524288\n");
});

test("an envelope's partition that is not there is bad; --repartition takes it anyway", async () => {
  const input = '{"key":"k","value":"v","partition":7}\n';
  const [code, said] = await bad("narrow", input, "-f", "json");
  expect([code, said[0]]).toEqual([1, expect.stringContaining("line 1: partition 7, but topic")]);
  expect((await bad("narrow", input, "-f", "json", "--repartition"))[0]).toBe(0);
});

test("a missing topic can be waited for", async () => {
  const waiting = kstream(["produce", "later", "--wait-topic"], { ...at, input: "x\n" });
  await Bun.sleep(300);
  await ok(["topic", "create", "later", "-p", "2"], at);
  const { exitCode, stderr } = await waiting;
  expect([exitCode, stderr]).toEqual([
    0,
    'kstream: waiting for topic "later"\nsent 1, acknowledged 1, failed 0\n',
  ]);
});

test("flags that contradict each other are usage errors", async () => {
  const wrong: [string[], string][] = [
    [["-0", "-d", ","], "contradict"],
    [["-d", ""], "the delimiter is empty"],
    [["-f", "csv", "-K", ":"], "--key-delimiter does not go with --format csv"],
    [["-f", "csv", "-0"], "rows end at line ends"],
    [["-f", "csv", "--separator", "ab"], "no separator"],
    [["--key-column", "a"], "--format csv"],
    [["-f", "json", "--value", "int"], "--value does not go with --format json"],
    [["--value", "float"], "base64"],
    [["--frame", "u16"], "netstring"],
    [["--on-error", "retry"], "dlq:TOPIC"],
    [["--on-error", "dlq:t"], "another topic"],
    [["--resume", "n", "a", "b"], "one input"],
    [["--resume", "n", "--acks", "1"], "--acks 1 does not go with --resume"],
    [["--from-start"], "--resume"],
    [["--follow"], "one file"],
  ];
  for (const [args, words] of wrong) {
    await fails(["produce", "t", ...args], 2, [words], { ...at, input: "" });
  }
});

test("input that cannot be read ends it, and what came before is delivered", async () => {
  const cwd = freshDir("unreadable");
  writeFileSync(join(cwd, "good"), "1\n2\n");
  mkdirSync(join(cwd, "folder"));
  for (const name of ["missing", "folder"]) {
    const made = await kstream(["produce", "partly", "good", name], { ...at, cwd });
    expect([made.exitCode, made.stderr]).toEqual([4, expect.stringContaining(name)]);
    expect(made.stderr).toEndWith("sent 2, acknowledged 2, failed 0, the rest was not read\n");
  }
  expect((await bad("frames", "\0\0\0\x05abc", "--frame", "u32"))[1][0])
    .toBe("kstream: record 1: the input ends after 3 of 5 bytes");
});

test("Ctrl-C delivers what was read, and says how much that was", async () => {
  const child = Bun.spawn([KSTREAM, "produce", "interrupted"], {
    env: { ...process.env, KSTREAM_BROKERS: broker.bootstrap },
    stdin: "pipe",
    stdout: "ignore",
    stderr: "pipe",
  });
  await child.stdin.write("one\ntwo\nhalf of a line");
  await child.stdin.flush();
  while (!(await kstream(["consume", "interrupted", "-e"], at)).stdout.includes("two"));
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  expect(await new Response(child.stderr).text())
    .toEndWith("sent 2, acknowledged 2, failed 0, interrupted\n");
});

test("Ctrl-C waits for what is in flight", async () => {
  await withBroker(async ({ bootstrap, admin }) => {
    const env = { ...process.env, KSTREAM_BROKERS: bootstrap, KSTREAM_ADMIN: admin ?? "" };
    await ok(["dev", "fault", "add", "produce", "latency=1s"], { brokers: bootstrap, env });
    const child = Bun.spawn([KSTREAM, "produce", "slow"], {
      ...{ env, stdin: "pipe", stdout: "ignore", stderr: "pipe" },
    });
    await child.stdin.write("one\ntwo\n");
    await child.stdin.flush();
    const struck = async () => {
      const list = await ok(["dev", "fault", "list", "--json"], { brokers: bootstrap, env });
      return JSON.parse(list)[0].struck;
    };
    while (await struck() === 0);
    child.kill("SIGINT");
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stderr).text())
      .toEndWith("sent 2, acknowledged 2, failed 0, interrupted\n");
  }, { args: ["--memory", "--dev", "--topic", "slow"] });
}, 30_000);

test("a broker that dies, one that never answers, and what is no broker", async () => {
  const dying = await startBrokerProcess({ args: ["--memory", "--topic", "t"] });
  const pipe = Bun.spawn([KSTREAM, "produce", "t", "--timeout", "1"], {
    env: { ...process.env, KSTREAM_BROKERS: dying.bootstrap },
    stdin: "pipe",
    stdout: "ignore",
    stderr: "pipe",
  });
  await pipe.stdin.write("before\n");
  await pipe.stdin.flush();
  while (!(await kstream(["consume", "t", "-e"], { brokers: dying.bootstrap })).stdout);
  await dying.stop("SIGKILL");
  await pipe.stdin.write("after\n");
  await pipe.stdin.flush();
  expect(await pipe.exited).toBe(4);
  expect(await new Response(pipe.stderr).text()).toEndWith("sent 2, acknowledged 1, failed 1\n");

  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  const http = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("web") });
  await new Promise((resolve) => silent.once("listening", resolve));
  const { port } = silent.address() as AddressInfo;
  const to = (number: number) => ["-b", `127.0.0.1:${number}`, "--timeout", "1"];
  await fails(["produce", "t", ...to(port)], 3, [`127.0.0.1:${port}`], { input: "x\n" });
  await fails(["produce", "t", ...to(http.port ?? 0)], 1, ["cannot talk to the broker"], {
    input: "x\n",
  });
  silent.close();
  await http.stop(true);
}, 30_000);
