/** What comes over sockets as syslog, whatever it is. */
import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { TestAuthority } from "../../../tests/harness/certificates.ts";
import { validate } from "../../index.ts";
import { startSource } from "../../testing/index.ts";
import type { SourceRun } from "../../testing/index.ts";
import { Framer } from "./framing.ts";
import { parseSyslog, syslogSchema, syslogValue } from "./message.ts";
import syslogSource from "./syslog-source.ts";

const arrival = { nowMs: Date.UTC(2026, 0, 2), offsetMinutes: 60 };
const parse = (line: string) => parseSyslog(Buffer.from(line), arrival);

test("the examples of RFC 5424 are read, structured data too", () => {
  expect(parse(
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed",
  )).toEqual({
    format: "rfc5424",
    facility: 4,
    severity: 2,
    timestamp: new Date("2003-10-11T22:14:15.003Z"),
    host: "mymachine.example.com",
    app: "su",
    procid: null,
    msgid: "ID47",
    structuredData: null,
    message: "'su root' failed",
  });
  const { structuredData, message, timestamp } = parse(
    '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - [a@1 iut="3" __proto__="\\"x\\]\\\\"][b@2] text',
  );
  expect(timestamp).toEqual(new Date("2003-08-24T12:14:15Z"));
  expect([...structuredData!.get("a@1")!]).toEqual([["iut", "3"], ["__proto__", '"x]\\']]);
  expect(structuredData!.get("b@2")!.size).toBe(0);
  expect(message).toBe("text");
});

test("what RFC 3164 tells of is read, with the year and offset that it does not say", () => {
  expect(parse("<13>Dec 31 23:30:00 host cron[42]: it ran")).toMatchObject({
    format: "rfc3164",
    timestamp: new Date("2025-12-31T22:30:00Z"),
    host: "host",
    app: "cron",
    procid: "42",
    message: "it ran",
  });
  // As a program says it to its own machine, without a host.
  expect(parse("<13>Jan  1 10:00:00 cron[42]: it ran")).toMatchObject({ host: null, app: "cron" });
  expect(parse("<13>2026-01-01T10:00:00.5+01:00 h app: x")).toMatchObject({
    timestamp: new Date("2026-01-01T09:00:00.500Z"),
    host: "h",
  });
  expect(parse("<13>no time at all")).toMatchObject({ timestamp: null, message: "no time at all" });
});

/** As random as a seed is. */
function* noise(seed: number): Generator<number> {
  for (let state = seed;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 24;
  }
}

test("whatever bytes come, they are a message that goes with the schema", () => {
  const whole = Buffer.from(
    '<165>1 2003-08-24T05:14:15Z h a 1 m [a@1 k="v"][b@2] text <13>Dec 31 23:30:00 h c[42]: x',
  );
  const random = noise(7);
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(
      whole.subarray(random.next().value! % 20, whole.length - random.next().value!),
    );
    for (let changes = random.next().value! % 6; changes > 0 && bytes.length > 0; changes--) {
      bytes[random.next().value! % bytes.length] = random.next().value!;
    }
    const value = syslogValue(parseSyslog(bytes, arrival), "127.0.0.1", false);
    expect(() => validate(syslogSchema, value)).not.toThrow();
  }
  const hostile = [
    "<13>1 - - - - - [",
    "<13>1 - - - - - [a" + ' b="c"'.repeat(20_000),
    "[".repeat(60_000),
  ];
  for (const line of hostile) expect(parse(line).message).toContain("[");
});

test("messages are found in a stream however it is cut, and long ones are cut themselves", () => {
  const long = "x".repeat(50);
  const stream = Buffer.from(
    `3 abc<1>line\n5 <1>a\n\r\n\n<2>crlf\r\n12345678901 no length\n9x\n${50} ${long}<3>after\n${long}${long}\n<4>last`,
  );
  for (let size = 1; size <= stream.length; size++) {
    const framer = new Framer(32);
    const frames = [];
    for (let at = 0; at < stream.length; at += size) {
      frames.push(...framer.push(stream.subarray(at, at + size)));
    }
    frames.push(...framer.end());
    expect(frames.map(({ bytes, isCut }) => bytes.toString() + (isCut ? "…" : ""))).toEqual([
      ...["abc", "<1>line", "<1>a", "<2>crlf", "12345678901 no length", "9x"],
      ...[`${"x".repeat(32)}…`, "<3>after", `${"x".repeat(32)}…`, "<4>last"],
    ]);
  }
});

const base = { topic: "logs", "syslog.port": "0", "syslog.tls.port": "0" };

async function listening(config: Record<string, string>) {
  const run = startSource(syslogSource, { ...base, ...config });
  const first = run.next();
  const count = (config["syslog.listener"] ?? "UDP,TCP").split(",").length;
  const ports = () =>
    Object.fromEntries(
      run.log.map((line) => /transport=(\w+).*port=(\d+)/.exec(line)).filter((found) =>
        found !== null
      )
        .map(([, transport, port]) => [transport, Number(port)]),
    );
  while (Object.keys(ports()).length < count) await Bun.sleep(2);
  return { run, first, ports: ports() };
}

async function messages(run: SourceRun, first: Promise<unknown>, count: number): Promise<string[]> {
  await first;
  while (run.records.length < count) await run.next();
  return run.values().map((value) => (value as { message: string }).message);
}

test("by UDP and TCP at once; the host is the key, or where it came from", async () => {
  const { run, first, ports } = await listening({});
  const udp = createSocket("udp4");
  udp.send("<13>1 - web-1 app - - - by datagram", ports["UDP"]!, "127.0.0.1");
  await first;
  const tcp = connect(ports["TCP"]!, "127.0.0.1");
  tcp.end("<13>by line\n13 <13>by length");
  expect(await messages(run, Promise.resolve(), 3)).toEqual([
    "by datagram",
    "by line",
    "by length",
  ]);
  expect(run.records.map(({ key }) => key)).toEqual(["web-1", "127.0.0.1", "127.0.0.1"]);
  udp.close();
  await run.stop();
});

test.skipIf(Bun.which("logger") === null)("logger is understood in its formats", async () => {
  const { run, first, ports } = await listening({});
  const log = (transport: "UDP" | "TCP", ...args: string[]) => {
    const how = transport === "UDP" ? "--udp" : "--tcp";
    const where = ["--server", "127.0.0.1", "--port", String(ports[transport]), how];
    const done = Bun.spawnSync(["logger", ...where, "-t", "prog", "--id=77", ...args]);
    expect(done.exitCode).toBe(0);
  };
  log("UDP", "--rfc5424", "-p", "local0.warning", "--sd-id", "a@1", "--sd-param", 'k="v"', "one");
  log("TCP", "--rfc5424", "--octet-count", "two");
  log("TCP", "--rfc3164", "three");
  log("UDP", "--rfc3164", "four");
  expect((await messages(run, first, 4)).sort()).toEqual(["four", "one", "three", "two"]);
  const one = run.values().find((value) => (value as { message: string }).message === "one");
  expect(one).toMatchObject({
    facility: 16,
    severity: 4,
    app: "prog",
    procid: "77",
    truncated: false,
  });
  expect(
    (one as { structured_data: Map<string, Map<string, string>> }).structured_data.get("a@1")?.get(
      "k",
    ),
  )
    .toBe("v");
  for (const value of run.values()) expect(value).toMatchObject({ app: "prog", procid: "77" });
  await run.stop();
});

test("who sends too much by TCP is held up, and nothing of it is lost", async () => {
  const { run, first, ports } = await listening({
    "syslog.listener": "TCP",
    "syslog.queue.max.size": "100",
    "batch.size": "50",
  });
  const total = 100_000;
  const text = "x".repeat(200);
  const tcp = connect(ports["TCP"]!, "127.0.0.1");
  let sent = 0;
  const more = () => {
    while (sent < total) {
      if (!tcp.write(`<13>${sent++} ${text}\n`)) return void tcp.once("drain", more);
    }
    tcp.end();
  };
  more();
  await first;
  // Nobody asks for more: it comes to a standstill, far from the end.
  for (let still = 0, before = -1; still < 20; still = sent === before ? still + 1 : 0) {
    before = sent;
    await Bun.sleep(10);
  }
  expect(sent).toBeLessThan(total);
  const got = await messages(run, first, total);
  expect(got.map((message) => Number(message.split(" ")[0]))).toEqual(
    Array.from({ length: total }, (_, n) => n),
  );
  await run.stop();
});

test("datagrams that come when the queue is full are counted", async () => {
  const { run, first, ports } = await listening({ "syslog.queue.max.size": "10" });
  const udp = createSocket("udp4");
  const send = (text: string) =>
    new Promise<void>((resolve) => udp.send(text, ports["UDP"]!, "127.0.0.1", () => resolve()));
  await send("<13>first");
  await first;
  for (let n = 0; n < 50; n++) await send(`<13>${n}`);
  // By TCP, behind them: it is taken in spite of the queue.
  const tcp = connect(ports["TCP"]!, "127.0.0.1");
  await new Promise<void>((resolve) => tcp.end("<13>last\n", () => resolve()));
  while (run.values().length < 11) await run.next();
  const waiting = run.next();
  await send("<13>again");
  await waiting;
  while (run.gauges.get("messages-dropped-total") === 0) {
    await Promise.race([run.next(), Bun.sleep(100)]);
  }
  expect(run.gauges.get("messages-dropped-total")! + run.records.length).toBeGreaterThanOrEqual(51);
  udp.close();
  await run.stop();
}, 20_000);

test("there are no more connections than may be, and hostile ones hurt no other", async () => {
  const { run, first, ports } = await listening({
    "syslog.listener": "TCP",
    "connections.max": "3",
    "message.bytes.max": "500",
  });
  const open = () => {
    const socket = connect(ports["TCP"]!, "127.0.0.1");
    socket.on("error", () => {});
    return socket;
  };
  const hostile = [open(), open()];
  const random = noise(3);
  hostile[0]!.write(Buffer.from(Array.from({ length: 20_000 }, () => random.next().value!)));
  hostile[1]!.write("999999999 never whole");
  const good = open();
  good.write("<13>good\n");
  await first;
  const closed = new Promise((resolve) => open().once("close", resolve));
  await closed;
  while (!run.values().some((value) => (value as { message: string }).message === "good")) {
    await run.next();
  }
  for (const socket of [...hostile, good]) socket.destroy();
  await run.stop();
});

test("TLS lets in who shows a certificate of the authority", async () => {
  const authority = new TestAuthority();
  const [own, client] = [authority.sign("server"), authority.sign("client")];
  const { run, first, ports } = await listening({
    "syslog.listener": "TLS",
    "tls.ca.file": authority.caFile,
    "tls.certificate.file": own.certFile,
    "tls.key.file": own.keyFile,
  });
  const at = { host: "127.0.0.1", port: ports["TLS"]!, ca: authority.ca };
  const stranger = connectTls(at);
  const isRefused = new Promise((resolve) => {
    stranger.once("error", resolve);
    stranger.once("close", resolve);
  });
  stranger.write("<13>stranger\n");
  await isRefused;
  const known = connectTls({ ...at, cert: client.cert, key: client.key });
  known.end("10 <13>secret");
  expect(await messages(run, first, 1)).toEqual(["secret"]);
  await run.stop();
  authority.dispose();
});

test("a port that another has is waited for", async () => {
  const { run, ports } = await listening({ "syslog.listener": "TCP" });
  const second = startSource(syslogSource, {
    ...base,
    "syslog.listener": "TCP",
    "syslog.port": String(ports["TCP"]),
  });
  await expect(second.next()).rejects.toThrow("cannot listen on 127.0.0.1");
  await second.stop();
  await run.stop();
});
