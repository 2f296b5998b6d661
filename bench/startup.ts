/** From exec to the first acknowledgement, and how long client commands take to start. */
import { join } from "node:path";
import { rmSync } from "node:fs";
import { freshDir, KSTREAM } from "../tests/harness/broker-process.ts";
import { spread } from "./measure.ts";
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

async function commandStartMs(args: string[]): Promise<number> {
  const start = performance.now();
  await Bun.spawn([KSTREAM, ...args], { stdout: "ignore", stderr: "ignore" }).exited;
  return performance.now() - start;
}

/** Both figures over `runs` runs, in milliseconds. */
export async function startup(runs: number): Promise<unknown> {
  const first: number[] = [];
  const help: number[] = [];
  const refused: number[] = [];
  for (let index = -1; index < runs; index++) {
    const figures = [
      await firstAcknowledgementMs(31_000 + index + 1),
      await commandStartMs(["produce", "--help"]),
      await commandStartMs(["consume", "--help"]),
    ] as const;
    if (index < 0) continue;
    first.push(figures[0]);
    help.push(figures[1]);
    refused.push(figures[2]);
  }
  const result = {
    execToFirstAckMs: spread(first),
    produceHelpMs: spread(help),
    consumeHelpMs: spread(refused),
  };
  console.log(JSON.stringify(result));
  return result;
}
