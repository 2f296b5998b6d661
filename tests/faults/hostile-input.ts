/**
 * Hostile bytes on the Kafka port of the built binary: fuzzed and truncated frames, lengths of
 * 2 GB, TLS hellos, HTTP. Each ends its own connection with a log line; the broker's memory stays
 * flat and a well-behaved client beside them notices nothing.
 */
import { readFileSync } from "node:fs";
import { type BrokerProcess, withBroker } from "../harness/broker-process.ts";
import { runOk } from "../harness/process.ts";
import { expectEqual, numberedLines } from "../compat/suite.ts";

const FUZZ_CONNECTIONS = 3000;
const GROWTH_BYTES_MAX = 120 * 1024 * 1024;

function residentBytes(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1] ?? 0) * 1024;
}

/** Sends the bytes and resolves when the broker closes, or after `patienceMs`. */
function offer(port: number, bytes: Uint8Array, patienceMs: number): Promise<"closed" | "open"> {
  return new Promise((resolve) => {
    const done = (how: "closed" | "open") => {
      clearTimeout(timer);
      resolve(how);
    };
    const timer = setTimeout(() => {
      done("open");
      connection.then((socket) => socket.terminate(), () => undefined);
    }, patienceMs);
    const connection = Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(bytes),
        data: () => undefined,
        close: () => done("closed"),
        error: () => done("closed"),
      },
    });
    connection.catch(() => done("closed"));
  });
}

function frame(length: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + body.length);
  new DataView(bytes.buffer).setInt32(0, length);
  bytes.set(body, 4);
  return bytes;
}

/** Fuzz from a fixed seed: a plausible header, then noise. */
function fuzzFrame(seed: number): Uint8Array {
  let state = (seed * 2654435761) >>> 0;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  const body = Uint8Array.from({ length: 12 + next() }, next);
  body[0] = 0;
  body[1] = seed % 95;
  body[2] = 0;
  body[3] = next() % 14;
  const cut = seed % 3 === 0 ? body.subarray(0, Math.max(1, body.length >> 1)) : body;
  return frame(seed % 3 === 0 ? cut.length : body.length, cut);
}

async function goodClient(broker: BrokerProcess, name: string): Promise<void> {
  const input = numberedLines(name, 1000);
  await runOk(["kcat", "-b", broker.bootstrap, "-P", "-t", name], { input });
  const read = await runOk(
    ["kcat", "-b", broker.bootstrap, "-C", "-t", name, "-o", "beginning", "-e", "-q"],
  );
  expectEqual(read.stdout, input, "a well-behaved client beside hostile ones");
}

/** Runs the scenario; returns a line that says what was counted. */
export function hostileInput(): Promise<string> {
  return withBroker(async (broker) => {
    await goodClient(broker, "before");
    const huge = [
      frame(0x7fffffff, new Uint8Array([0, 3, 0, 1])),
      frame(-1, new Uint8Array([0, 3, 0, 1])),
    ];
    for (const bytes of huge) expectEqual(await offer(broker.port, bytes, 5000), "closed", "2 GB");
    const tls = Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    expectEqual(await offer(broker.port, tls, 5000), "closed", "TLS");
    const http = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expectEqual(await offer(broker.port, http, 5000), "closed", "HTTP");
    await broker.outputHas(/TLS/);
    await broker.outputHas(/HTTP/);
    const before = residentBytes(broker.pid);
    for (let seed = 0; seed < FUZZ_CONNECTIONS; seed += 50) {
      const wave = Array.from({ length: 50 }, (_, index) => fuzzFrame(seed + index));
      await Promise.all(wave.map((bytes) => offer(broker.port, bytes, 100)));
    }
    await goodClient(broker, "after");
    const grown = residentBytes(broker.pid) - before;
    if (grown > GROWTH_BYTES_MAX) throw new Error(`memory grew by ${grown >> 20} MB`);
    return `${FUZZ_CONNECTIONS} fuzzed connections, memory grew by ${grown >> 20} MB`;
  });
}
