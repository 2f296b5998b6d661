/** From exec to the first acknowledgement, and how long client commands take to start. */
import { join } from "node:path";
import { rmSync } from "node:fs";
import { freshDir, KSTREAM } from "../tests/harness/broker-process.ts";
import { type Spread, spread } from "./measure.ts";
import { startOurs } from "./targets.ts";
import { decodeResponse } from "../core/protocol/codec.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { PRODUCE_VERSION, produceFrame } from "./frames.ts";

/** Response header v1: correlation id and no tags. */
const CORRELATION_AND_TAGS_BYTES = 5;

/** Sends one frame on a fresh connection; its answer, or null if nobody listens (yet). */
function ask(port: number, bytes: Uint8Array): Promise<Uint8Array | null> {
  return new Promise((resolve) => {
    let received = new Uint8Array(0);
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(bytes),
        data: (socket, chunk) => {
          received = new Uint8Array([...received, ...chunk]);
          if (received.length < 4) return;
          if (received.length < 4 + new DataView(received.buffer).getInt32(0)) return;
          resolve(received);
          socket.end();
        },
        close: () => resolve(null),
        error: () => resolve(null),
      },
    }).catch(() => resolve(null));
  });
}

/** Whether a produce answer says that the record is safe, and not an error that will pass. */
function acknowledged(frame: Uint8Array): boolean {
  const body = frame.subarray(4 + CORRELATION_AND_TAGS_BYTES);
  const { responses } = decodeResponse(produce, PRODUCE_VERSION, body);
  return responses[0]?.partitionResponses[0]?.errorCode === 0;
}

/** Milliseconds from exec to an acks=all acknowledgement on an empty directory, fsync on. */
async function firstAcknowledgementMs(port: number): Promise<number> {
  const dir = freshDir("start");
  const start = performance.now();
  const child = Bun.spawn(
    [
      KSTREAM,
      "serve",
      "--data",
      join(dir, "data"),
      "--listen",
      `127.0.0.1:${port}`,
      "--topic",
      "t",
    ],
    { stdout: "ignore", stderr: "ignore" },
  );
  try {
    for (;;) {
      const answer = await ask(port, produceFrame("t", 1, Date.now()));
      if (answer !== null && acknowledged(answer)) return performance.now() - start;
      if (performance.now() - start > 10_000) throw new Error("no acknowledgement within 10 s");
      await Bun.sleep(1);
    }
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(dir, { recursive: true, force: true });
  }
}

async function commandMs(args: string[]): Promise<number> {
  const start = performance.now();
  const child = Bun.spawn([KSTREAM, ...args], {
    stdin: new Blob(["one line\n"]),
    stdout: "ignore",
    stderr: "ignore",
  });
  if (await child.exited !== 0) throw new Error(`${args.join(" ")} failed`);
  return performance.now() - start;
}

/** Whole runs of client commands that do next to nothing, against a broker on this machine. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  "produce --help": ["produce", "--help"],
  "topic list": ["topic", "list"],
  "produce one line": ["produce", "t"],
  "consume -n 1": ["consume", "t", "-n", "1"],
};

async function commandStarts(runs: number): Promise<Record<string, Spread>> {
  const broker = await startOurs("os");
  try {
    await commandMs(["produce", "t", "-b", broker.bootstrap]);
    const result: Record<string, Spread> = {};
    for (const [name, args] of Object.entries(COMMANDS)) {
      const times: number[] = [];
      for (let index = -1; index < runs; index++) {
        const ms = await commandMs([...args, "-b", broker.bootstrap]);
        if (index >= 0) times.push(ms);
      }
      result[name] = spread(times);
    }
    return result;
  } finally {
    await broker.stop();
  }
}

/** Both figures over `runs` runs, in milliseconds. */
export async function startup(runs: number): Promise<unknown> {
  const first: number[] = [];
  for (let index = -1; index < runs; index++) {
    const ms = await firstAcknowledgementMs(31_000 + index + 1);
    if (index >= 0) first.push(ms);
  }
  const result = { execToFirstAckMs: spread(first), commandMs: await commandStarts(runs) };
  console.log(JSON.stringify(result));
  return result;
}
