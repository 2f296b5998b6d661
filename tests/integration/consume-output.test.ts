/** What `consume` prints, in every format, of several topics, and where it ends early. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok, shell } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--topic", "users:2"] });
  at = { brokers: broker.bootstrap };
  const envelope = (key: string, value: string, more = "") =>
    `{"key":${key},"value":${value},"timestamp":1700000000000,"partition":0${more}}\n`;
  const input = envelope('"ada"', '"{\\"n\\":1}"', ',"headers":[["a","1"],["a",null]]') +
    envelope('"bob"', '"{\\"n\\":2}"') + envelope('"ada"', '"{\\"n\\":3}"') +
    envelope('"bob"', "null") + envelope("null", '{"base64":"/wA="}');
  await ok(["produce", "users", "-f", "json"], { ...at, input });
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

const read = (...args: string[]) => ok(["consume", "users", "-p", "0", "-e", ...args], at);

test("csv, tables, dumps and json of the same records", async () => {
  expect(await read("-f", "csv", "--columns", "offset,key,value,v.n")).toBe(
    'offset,key,value,v.n\n0,ada,"{""n"":1}",1\n1,bob,"{""n"":2}",2\n2,ada,"{""n"":3}",3\n' +
      "3,bob,,\n4,,0xff00,\n",
  );
  const table = await read("-f", "table");
  expect(table.split("\n")[0]).toMatch(/^PARTITION +OFFSET +TIME +KEY +VALUE$/);
  expect(table).toMatch(/0 +3 +2023-11-14T22:13:20.000Z +bob +NULL\n/);
  expect(await read("-f", "hex", "-o", "4")).toContain("|..|");
  expect((await read("-f", "jsonl")).split("\n")[0]).toBe(
    '{"topic":"users","partition":0,"offset":0,"timestamp":1700000000000,"key":"ada",' +
      '"value":"{\\"n\\":1}","headers":[["a","1"],["a",null]]}',
  );
  expect(
    await read("-o", ":3", "-f", "json", "--value", "json").then((text) =>
      text.trim().split("\n").map((line) => JSON.parse(line).value.n)
    ),
  ).toEqual([1, 2, 3]);
  expect(await read("--null-marker", "NULL", "-o", "3:4")).toBe("NULL\n");
  expect(await read("-f", "%e %x %a{compression} %[ %] %i;", "-o", ":2")).toBe(
    "0 0 none 0 5 1;0 0 none 0 5 2;",
  );
});

test("of each key the latest", async () => {
  expect(await read("--latest-by-key")).toBe('{"n":3}\n');
  expect(await read("--latest-by-key", "-f", "csv", "--columns", "key,v.n")).toBe(
    "key,v.n\nada,3\n",
  );
  await fails(["consume", "users", "--latest-by-key", "-n", "1"], 2, ["--count"], at);
});

test("what ends a record comes back through produce", async () => {
  const input = "a\nb\0\0c";
  for (
    const flags of ["-0", "--delim '--'", "--frame u32", "--frame varint", "--frame netstring"]
  ) {
    const topic = `ends${flags.replaceAll(/[^a-z0-9]/g, "")}`;
    const copied = await shell(
      `kstream produce ${topic} -0 2>/dev/null && kstream consume ${topic} -e ${flags} | ` +
        `kstream produce ${topic}-copy ${flags} 2>/dev/null && kstream consume ${topic}-copy -e -0`,
      { ...at, input },
    );
    expect([flags, copied.stdout, copied.exitCode]).toEqual([flags, `${input}\0`, 0]);
  }
});

test("a record that is not what --value says ends it, after those before it", async () => {
  const finished = await kstream(["consume", "users", "-e", "-p", "0", "--value", "json"], at);
  expect([finished.exitCode, finished.stdout]).toEqual([1, '{"n":1}\n{"n":2}\n{"n":3}\n\n']);
  expect(finished.stderr).toMatch(
    /^kstream: the value of users-0@4 is no json: .*: leave out --value json, or pass over [^\n]+\n$/,
  );
});

test("--on-error skip leaves out what cannot be printed or evaluated, and says how many", async () => {
  const skip = ["consume", "users", "-e", "-p", "0", "--on-error", "skip"];
  const shown = await kstream([...skip, "--value", "json", "-f", "%o %v\\n"], at);
  expect([shown.exitCode, shown.stdout]).toEqual([4, '0 {"n":1}\n1 {"n":2}\n2 {"n":3}\n3 \n']);
  expect(shown.stderr).toMatch(
    /^kstream: the value of users-0@4 is no json: .*\nkstream: skipped 1 record\n$/,
  );
  const two = await kstream([...skip, "-n", "2", "--map", "v.n > 1 ? v.n : undefined"], at);
  expect([two.exitCode, two.stdout]).toEqual([4, "2\n3\n"]);
  expect(two.stderr).toMatch(
    /^kstream: --map fails for users-0@0: .*\n {2}v.*\n.*skipped 1 record\n$/s,
  );
  const stopped = await kstream(["consume", "users", "-e", "-p", "0", "--map", "v.n.x"], at);
  expect([stopped.exitCode, stopped.stdout]).toEqual([1, ""]);
});

test("several topics, by name and by expression, and in a group", async () => {
  for (const topic of ["logs-a", "logs-b", "other"]) {
    await ok(["produce", topic], { ...at, input: `${topic} 1\n${topic} 2\n` });
  }
  const sorted = async (...args: string[]) =>
    (await ok(["consume", ...args], at)).trimEnd().split("\n").toSorted();
  const both = ["logs-a 1", "logs-a 2", "logs-b 1", "logs-b 2"];
  expect(await sorted("logs-a", "logs-b", "-e")).toEqual(both);
  expect(await sorted("--topics", "logs-.*", "-e")).toEqual(both);
  expect(await sorted("logs-a", "logs-b", "-g", "many", "-e")).toEqual(both);
  expect(await sorted("logs-a", "logs-b", "-o", "-1", "-e")).toEqual(["logs-a 2", "logs-b 2"]);
  expect(await ok(["consume", "logs-a", "logs-b", "-g", "many", "-e"], at)).toBe("");
  await fails(["consume", "-e"], 2, ["which topic"], at);
  await fails(["consume", "--topics", "nothing-.*"], 1, ["no topic matches"], at);
  await fails(["consume", "--topics", "("], 2, ["--topics"], at);
  await fails(["consume", "logs-a", "nowhere", "-e"], 1, ["nowhere"], at);
});

for (const flags of [[], ["-g", "classics"], ["-g", "modern", "--group-protocol", "consumer"]]) {
  test(`--topics follows those that come later: ${flags.join(" ")}`, async () => {
    const name = (n: number) => `late${flags.length}-${n}`;
    await ok(["produce", name(1)], { ...at, input: "one\n" });
    const flow = [...flags, "-b", at.brokers, "-f", "%t %v\\n"];
    const reader = Bun.spawn(
      [KSTREAM, "consume", "--topics", `late${flags.length}-.*`, "-n", "3", ...flow],
      { stdout: "pipe" },
    );
    const stdout = reader.stdout.getReader();
    const decoder = new TextDecoder();
    let read = decoder.decode((await stdout.read()).value);
    expect(read).toBe(`${name(1)} one\n`);
    await ok(["produce", name(2)], { ...at, input: "two\n" });
    await ok(["produce", name(3), "-p", "0"], { ...at, input: "three\n" });
    for (let { value, done } = await stdout.read(); !done;) {
      read += decoder.decode(value);
      ({ value, done } = await stdout.read());
    }
    expect(read.trimEnd().split("\n").toSorted())
      .toEqual([`${name(1)} one`, `${name(2)} two`, `${name(3)} three`]);
  }, 60_000);
}

test("--wait-topic waits and says so", async () => {
  const reader = Bun.spawn(
    [KSTREAM, "consume", "yet-to-come", "--wait-topic", "-n", "1", "-b", at.brokers],
    { stdout: "pipe", stderr: "pipe" },
  );
  const said = await reader.stderr.getReader().read();
  expect(new TextDecoder().decode(said.value)).toBe('kstream: waiting for topic "yet-to-come"\n');
  await ok(["produce", "yet-to-come"], { ...at, input: "here\n" });
  expect(await new Response(reader.stdout).text()).toBe("here\n");
  expect(await reader.exited).toBe(0);
});

test("Ctrl-C says what a group has committed", async () => {
  const reader = Bun.spawn([KSTREAM, "consume", "users", "-g", "interrupted", "-b", at.brokers], {
    stdout: "pipe",
    stderr: "pipe",
  });
  await reader.stdout.getReader().read();
  reader.kill("SIGINT");
  expect(await reader.exited).toBe(0);
  expect(await new Response(reader.stderr).text()).toBe(
    "kstream: interrupted: 5 records are written and committed: users-0 to 5\n",
  );
  expect(await ok(["consume", "users", "-g", "interrupted", "-e"], at)).toBe("");
});

test("a broker that falls silent ends it with 3, whatever it was reading", async () => {
  const own = await startBrokerProcess({ args: ["--topic", "quiet"] });
  const to = { brokers: own.bootstrap };
  await ok(["produce", "quiet"], { ...to, input: "a\n" });
  const reader = Bun.spawn(
    [KSTREAM, "consume", "quiet", "-o", "0:5", "--timeout", "1", "-b", own.bootstrap],
    { stdout: "pipe", stderr: "pipe" },
  );
  await reader.stdout.getReader().read();
  process.kill(own.pid, "SIGSTOP");
  try {
    expect(await reader.exited).toBe(3);
    expect(await new Response(reader.stderr).text()).toMatch(/^kstream: [^\n]+\n$/);
  } finally {
    process.kill(own.pid, "SIGCONT");
    await own.stop();
  }
});

test("readers that go away end every format quietly", async () => {
  for (const flags of ["-f csv", "-f table", "-f hex", "--latest-by-key -f json", "--frame u32"]) {
    const finished = await shell(`kstream consume users -e ${flags} | head -c 1 | wc -c`, at);
    expect([flags, finished.exitCode, finished.stderr]).toEqual([flags, 0, ""]);
  }
});

test("a server that is no Kafka, and one that never answers", async () => {
  const listen = async (answer: string | null) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      if (answer !== null) socket.on("data", () => socket.end(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { server, brokers: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const http = await listen("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  await fails(["consume", "t", "-e"], 1, ["cannot talk to the broker"], { brokers: http.brokers });
  const silent = await listen(null);
  await fails(["consume", "t", "-e", "--timeout", "1"], 3, ["no broker answers"], {
    brokers: silent.brokers,
  });
  http.server.close();
  silent.server.close();
});

test("Ctrl-C ends at once what waits for a broker's first answer", async () => {
  const commands = [
    "consume t",
    "consume t -g g",
    "consume t --share g",
    "produce t",
    "bench produce t",
  ];
  await Promise.all(commands.map(async (command) => {
    const connected = Promise.withResolvers<void>();
    const silent = createServer(() => connected.resolve());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const port = (silent.address() as AddressInfo).port;
    const child = Bun.spawn([KSTREAM, ...command.split(" "), "-b", `127.0.0.1:${port}`], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "pipe",
    });
    await connected.promise;
    const beganMs = performance.now();
    child.kill("SIGINT");
    expect(await child.exited).toBe(1);
    expect(performance.now() - beganMs).toBeLessThan(3000);
    expect(await new Response(child.stderr).text()).toBe("kstream: interrupted\n");
    silent.close();
  }));
});
