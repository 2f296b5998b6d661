/** The server over real loopback sockets: protocol, ordering, bounds and hostile bytes. */
import { afterEach, expect, test } from "bun:test";
import { inlineOffload } from "../core/io/inline-offload.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunNetwork } from "../core/io/bun/network.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { noDatagrams } from "../core/io/no-datagrams.test-helper.ts";
import type { Clock, Io } from "../core/io.ts";
import { HandClock } from "./hand-clock.test-helper.ts";
import { Errors } from "../core/errors.ts";
import { createLogger } from "../core/logger.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import {
  decodeResponse,
  decodeResponseHeader,
  encodeRequestFrame,
  joinChunks,
} from "../core/protocol/codec.ts";
import { api, bytes, int16, int32, int8 } from "../core/protocol/schema.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { BrokerConfig } from "./config/broker-config.ts";
import type { AnyHandler, Handler } from "./handler.ts";
import { apiVersionsHandler } from "./handlers/18-api-versions.ts";
import { type BrokerOptions, type RunningBroker, startBroker } from "./start-broker.ts";

/** An API whose handler is told by the request what to do. */
const probe = api({
  key: 900,
  name: "Probe",
  versions: "0-1",
  flexible: "1+",
  request: { mode: int8("0+"), number: int32("0+"), payload: bytes("0+") },
  response: { errorCode: int16("0+"), number: int32("0+"), payload: bytes("0+") },
});
const MODES = { answer: 0, hold: 1, silent: 2, bug: 3, large: 4, close: 5 };

/** The same, but its requests may be under way together. */
const pipelinedProbe = { ...probe, key: 901, name: "PipelinedProbe" };

interface Probe {
  readonly handlers: AnyHandler[];
  /** Numbers in the order in which their requests were started. */
  readonly started: number[];
  /** Finishes a held request. */
  release(number: number): void;
  /** Resolves when the request of this number was started. */
  hasStarted(number: number): Promise<void>;
}

function createProbe(): Probe {
  const started: number[] = [];
  const held = new Map<number, () => void>();
  const watchers = new Map<number, () => void>();
  const handlerOf = (definition: typeof probe, pipelined: boolean): Handler<typeof probe> => ({
    api: definition,
    pipelined,
    authorize: { kind: "open", reason: "a test" },
    handle(context, request) {
      const { mode, number } = request;
      started.push(number);
      watchers.get(number)?.();
      const response = { number, payload: request.payload };
      if (mode === MODES.silent) return null;
      if (mode === MODES.bug) throw new Error("a bug of the handler");
      if (mode === MODES.large) return { number, payload: new Uint8Array(1_000_000) };
      if (mode === MODES.close) {
        context.closeConnection("the probe asked for it");
        return null;
      }
      if (mode !== MODES.hold) return response;
      return new Promise((resolve) => held.set(number, () => resolve(response)));
    },
  });
  return {
    handlers: [handlerOf(probe, false), handlerOf(pipelinedProbe, true)],
    started,
    release: (number) => held.get(number)?.(),
    hasStarted: (number) =>
      new Promise((resolve) => {
        if (started.includes(number)) resolve();
        else watchers.set(number, resolve);
      }),
  };
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface TestServer extends RunningBroker {
  readonly probe: Probe;
  readonly lines: string[];
  client(): Promise<RawClient>;
}

async function startServer(
  options: Partial<BrokerOptions> & { clock?: Clock; set?: Record<string, string> } = {},
): Promise<TestServer> {
  const probe = createProbe();
  const lines: string[] = [];
  const io: Io = {
    clock: options.clock ?? bunClock,
    random: bunRandom,
    network: bunNetwork,
    datagrams: noDatagrams,
    offload: inlineOffload(),
    disk: new MemoryDisk({ wallMs: () => bunClock.wallMs(), maxBytes: 1 << 26 }),
  };
  const parsed = BrokerConfig.parse(new Map(Object.entries(options.set ?? {})));
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  const running = await startBroker({
    io,
    logger: createLogger({
      level: "debug",
      format: "text",
      wallMs: () => 0,
      write: (line) => lines.push(line),
    }),
    config: parsed.config,
    dataDir: "unused",
    handlers: [apiVersionsHandler, ...probe.handlers],
    ...options,
  });
  cleanups.push(() => running.stop());
  const client = async () => {
    const opened = await RawClient.connect(running.port);
    cleanups.push(() => opened.close());
    return opened;
  };
  return { ...running, probe, lines, client };
}

const SOFTWARE = { clientSoftwareName: "raw", clientSoftwareVersion: "1.0" };

test("every version of ApiVersions lists what is registered", async () => {
  const server = await startServer();
  const client = await server.client();
  for (let version = 0; version <= apiVersions.maxVersion; version++) {
    const response = await client.request(apiVersions, version, version < 3 ? {} : SOFTWARE);
    expect(response.errorCode).toBe(Errors.NONE);
    expect(response.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
      apiKey,
      minVersion,
      maxVersion,
    ])).toEqual([[18, 0, 5], [900, 0, 1], [901, 0, 1]]);
  }
});

test("an unknown version of ApiVersions is answered in version 0 (KIP-511)", async () => {
  const server = await startServer();
  const client = await server.client();
  const frame = joinChunks(
    encodeRequestFrame(apiVersions, 5, { correlationId: 7, clientId: "x" }, SOFTWARE),
  );
  new DataView(frame.buffer, frame.byteOffset).setInt16(6, 99);
  client.sendBytes(frame);
  const answer = await client.readFrame();
  if (answer === null) throw new Error("closed");
  expect(decodeResponseHeader(apiVersions, 0, answer).correlationId).toBe(7);
  const response = decodeResponse(apiVersions, 0, answer, 4);
  expect(response.errorCode).toBe(Errors.UNSUPPORTED_VERSION);
  expect(response.apiKeys).toEqual([{ apiKey: 18, minVersion: 0, maxVersion: 5 }]);
  // The connection goes on.
  expect((await client.request(apiVersions, 0, {})).errorCode).toBe(Errors.NONE);
});

test("a client's name is checked as Kafka does", async () => {
  const server = await startServer();
  const client = await server.client();
  const named = await client.request(apiVersions, 3, {
    clientSoftwareName: "-bad-",
    clientSoftwareVersion: "1",
  });
  expect(named.errorCode).toBe(Errors.INVALID_REQUEST);
});

test("a client that means another cluster or node is told so (KIP-1242)", async () => {
  const server = await startServer();
  const client = await server.client();
  const { clusterId, nodeId } = server.broker;
  const ask = async (identity: { clusterId: string | null; nodeId: number }) =>
    (await client.request(apiVersions, 5, { ...SOFTWARE, ...identity })).errorCode;
  expect(await ask({ clusterId, nodeId })).toBe(Errors.NONE);
  expect(await ask({ clusterId, nodeId: -1 })).toBe(Errors.NONE);
  expect(await ask({ clusterId: null, nodeId: 7 })).toBe(Errors.NONE);
  expect(await ask({ clusterId, nodeId: nodeId + 1 })).toBe(Errors.REBOOTSTRAP_REQUIRED);
  expect(await ask({ clusterId: "another", nodeId })).toBe(Errors.REBOOTSTRAP_REQUIRED);
});

/** Reads the next probe response's number. */
async function nextNumber(client: RawClient): Promise<number | null> {
  const frame = await client.readFrame();
  if (frame === null) return null;
  return decodeResponse(probe, 0, frame, 4).number;
}

test("a request waits for those before it, and is answered after them", async () => {
  const server = await startServer();
  const client = await server.client();
  client.send(probe, 0, { mode: MODES.hold, number: 1 });
  client.send(probe, 0, { number: 2 });
  client.send(pipelinedProbe, 0, { number: 3 });
  await server.probe.hasStarted(1);
  // A round trip on another connection, after which nothing more has started on this one.
  await (await server.client()).request(apiVersions, 0, {});
  expect(server.probe.started).toEqual([1]);
  server.probe.release(1);
  expect([await nextNumber(client), await nextNumber(client), await nextNumber(client)])
    .toEqual([1, 2, 3]);
  expect(server.probe.started).toEqual([1, 2, 3]);
});

test("pipelined requests start at once in order, and are answered in order", async () => {
  const server = await startServer();
  const client = await server.client();
  for (let number = 1; number <= 4; number++) {
    client.send(pipelinedProbe, 0, {
      mode: number === 3 ? MODES.silent : MODES.hold,
      number,
    });
  }
  client.send(probe, 0, { number: 5 });
  await server.probe.hasStarted(4);
  expect(server.probe.started).toEqual([1, 2, 3, 4]);
  server.probe.release(4);
  server.probe.release(2);
  server.probe.release(1);
  // Number 3 wants no response.
  expect([
    await nextNumber(client),
    await nextNumber(client),
    await nextNumber(client),
    await nextNumber(client),
  ]).toEqual([1, 2, 4, 5]);
});

test("a bug in a handler is answered, and the connection goes on", async () => {
  const server = await startServer();
  const client = await server.client();
  const response = await client.request(probe, 1, { mode: MODES.bug });
  expect(response.errorCode).toBe(Errors.UNKNOWN_SERVER_ERROR);
  expect((await client.request(probe, 1, { number: 9 })).number).toBe(9);
  expect(server.lines.some((line) => line.includes("a bug of the handler"))).toBe(true);
});

test("a handler can end the connection", async () => {
  const server = await startServer();
  const client = await server.client();
  client.send(probe, 0, { number: 1 });
  client.send(probe, 0, { mode: MODES.close, number: 2 });
  client.send(probe, 0, { number: 3 });
  expect([await nextNumber(client), await nextNumber(client)]).toEqual([1, null]);
  expect(server.probe.started).toEqual([1, 2]);
});

test("no request starts while the client does not take earlier responses", async () => {
  const server = await startServer();
  const client = await server.client();
  client.socket.pause();
  for (let number = 0; number < 200; number++) {
    client.send(probe, 0, { mode: MODES.large, number });
  }
  const other = await server.client();
  let startedBefore = -1;
  // Until the kernel's buffers are full; then nothing starts any more.
  while (server.probe.started.length !== startedBefore) {
    startedBefore = server.probe.started.length;
    for (let i = 0; i < 20; i++) await other.request(apiVersions, 0, {});
  }
  expect(startedBefore).toBeGreaterThan(0);
  expect(startedBefore).toBeLessThan(100);
  client.socket.resume();
  for (let number = 0; number < 200; number++) expect(await nextNumber(client)).toBe(number);
});

test("bytes that are not Kafka's end one connection with one line that says what they are", async () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["tls", new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 252]), /TLS handshake.*PLAINTEXT/],
    ["http", Buffer.from("GET / HTTP/1.1\r\n\r\n"), /HTTP request/],
    ["2 GB", new Uint8Array([0x7f, 0xff, 0xff, 0xff, 1]), /socket\.request\.max\.bytes/],
    ["negative", new Uint8Array([0x80, 0, 0, 0, 1]), /negative length/],
    ["empty", new Uint8Array([0, 0, 0, 0]), /not a request header/],
    ["unknown API", new Uint8Array([0, 0, 0, 8, 7, 7, 0, 0, 0, 0, 0, 1]), /API key 1799/],
    [
      "version",
      new Uint8Array([0, 0, 0, 11, 3, 132, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0]),
      /version 9/,
    ],
    ["body", new Uint8Array([0, 0, 0, 10, 3, 132, 0, 0, 0, 0, 0, 1, 0xff, 0xff]), /not Probe/],
  ];
  const server = await startServer();
  const bystander = await server.client();
  for (const [name, sent, line] of cases) {
    const linesBefore = server.lines.length;
    const client = await server.client();
    client.sendBytes(new Uint8Array(sent));
    expect([name, await client.readFrame()]).toEqual([name, null]);
    const lines = server.lines.slice(linesBefore).filter((text) => text.includes("WARN"));
    expect([name, lines.length]).toEqual([name, 1]);
    expect(lines[0]).toMatch(line);
  }
  expect((await bystander.request(apiVersions, 0, {})).errorCode).toBe(Errors.NONE);
});

test("fuzzed frames harm nobody else", async () => {
  const server = await startServer();
  const bystander = await server.client();
  let state = 42;
  const below = (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * bound);
  };
  for (let round = 0; round < 200; round++) {
    const frame = joinChunks(encodeRequestFrame(
      round % 2 === 0 ? apiVersions : probe,
      round % 2,
      { correlationId: round, clientId: "fuzz" },
      {},
    )).slice();
    for (let i = 0; i < 1 + below(4); i++) frame[4 + below(frame.length - 4)] = below(256);
    const client = await server.client();
    client.sendBytes(frame.subarray(0, below(5) === 0 ? below(frame.length) : frame.length));
    client.socket.end();
    await client.closed;
  }
  expect((await bystander.request(apiVersions, 0, {})).errorCode).toBe(Errors.NONE);
  expect(server.lines.filter((line) => line.includes("internal error"))).toEqual([]);
});

test("an idle connection is closed, one with a request under way is not", async () => {
  const clock = new HandClock();
  const server = await startServer({ clock, set: { "connections.max.idle.ms": "1000" } });
  const idle = await server.client();
  const busy = await server.client();
  await idle.request(apiVersions, 0, {});
  busy.send(probe, 0, { mode: MODES.hold, number: 1 });
  await server.probe.hasStarted(1);
  clock.advance(600);
  await idle.request(apiVersions, 0, {});
  clock.advance(600); // 1200 ms old, but idle for 600 ms only
  await idle.request(apiVersions, 0, {});
  clock.advance(1000);
  expect(await idle.readFrame()).toBeNull();
  server.probe.release(1);
  expect(await nextNumber(busy)).toBe(1);
});

test("connections beyond the limits are refused, and room is made by those that go", async () => {
  const server = await startServer({
    set: { "max.connections.per.ip": "0", "max.connections.per.ip.overrides": "x:9,127.0.0.1:2" },
  });
  const first = await server.client();
  await first.request(apiVersions, 0, {});
  const second = await server.client();
  await second.request(apiVersions, 0, {});
  const third = await server.client();
  expect(await third.readFrame()).toBeNull();
  expect(server.lines.some((line) => line.includes("max.connections.per.ip=2"))).toBe(true);
  first.socket.end();
  await first.closed;
  const fourth = await server.client();
  expect((await fourth.request(apiVersions, 0, {})).errorCode).toBe(Errors.NONE);
});

test("requests larger than the broker's request memory get through, one after the other", async () => {
  const server = await startServer({ set: { "queued.max.request.bytes": "100000" } });
  const payload = new Uint8Array(3_000_000).fill(7);
  const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => server.client()));
  const answers = await Promise.all(
    clients.map((client, number) => client.request(probe, 0, { number, payload })),
  );
  expect(answers.map((answer) => answer.number)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(answers.every((answer) => answer.payload.length === payload.length)).toBe(true);
});

test("one who does not finish a request cannot hold the request memory for ever", async () => {
  const clock = new HandClock();
  const server = await startServer({ clock, set: { "queued.max.request.bytes": "100000" } });
  const slow = await server.client();
  slow.sendBytes(new Uint8Array([0, 0x10, 0, 0, 3, 132, ...new Uint8Array(200_000)]));
  const other = await server.client();
  const payload = new Uint8Array(300_000);
  const answer = other.request(probe, 0, { number: 1, payload });
  // Until the slow one was favoured, then its time passes.
  while (server.lines.every((line) => !line.includes("slow to send"))) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    clock.advance(1000);
  }
  expect(await slow.readFrame()).toBeNull();
  expect((await answer).number).toBe(1);
});

test("stopping answers what is under way and refuses newcomers", async () => {
  const server = await startServer();
  const client = await server.client();
  const idle = await server.client();
  await idle.request(apiVersions, 0, {});
  client.send(probe, 0, { mode: MODES.hold, number: 1 });
  await server.probe.hasStarted(1);
  const stopped = server.stop();
  expect(await idle.readFrame()).toBeNull();
  await expect(RawClient.connect(server.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  server.probe.release(1);
  expect([await nextNumber(client), await nextNumber(client)]).toEqual([1, null]);
  await stopped;
});
