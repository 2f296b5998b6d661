/** A cluster in which the disk of one broker is full for a while. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { appendWork } from "./append-work.ts";
import { adminOf } from "./cluster-topic.ts";
import type { Act, Stage } from "./stage.ts";

const FULL_NODE = 1;
const DISK_BYTES = 256 * 1024 * 1024;
const PIECE_BYTES_MIN = 4096;
const POLL_MS = 100;
/** For the broker to see that there is no room, or that there is, and to be back in the ISRs. */
const WAIT_MS = 60_000;

/** See the head of the file. */
export const FULL_DISK: Act = {
  name: "full disk",
  cluster: { brokers: 3, smallDisk: { nodeId: FULL_NODE, bytes: DISK_BYTES } },
  prepare: appendWork,
  steady: 30,
  scenarios: [{
    name: "the disk of one broker is full for a while",
    pauseMaxMs: 5000,
    async run(stage) {
      const { scene } = stage;
      const broker = scene.broker(FULL_NODE);
      const ballast = join(broker.dir, "ballast");
      fill(ballast);
      // A page that a file has begun takes some records yet.
      await until(
        "has not seen that its disk is full",
        () => Promise.resolve(broker.output.includes("the data directory is full")),
      );
      await until("goes on leading", async () => !(await leadersOf(stage)).includes(FULL_NODE));
      await stage.steady();
      if (!broker.isRunning) throw new Error("the broker has ended");
      rmSync(ballast);
      await until("does not come back", () => isWhole(stage));
    },
  }],
};

async function until(problem: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`the broker ${problem}`);
    await Bun.sleep(POLL_MS);
  }
}

/** Takes all the room that there is. */
function fill(path: string): void {
  for (let size = DISK_BYTES / 4; size >= PIECE_BYTES_MIN;) {
    try {
      writeFileSync(path, new Uint8Array(size), { flag: "a" });
    } catch {
      // No room for a piece of this size: it goes on with smaller ones.
      size /= 2;
    }
  }
}

async function partitionsOf({ scene, topic }: Stage) {
  const admin = adminOf(scene);
  try {
    const [described] = await admin.describeTopics([topic]);
    return described?.topic?.partitions ?? [];
  } finally {
    await admin.close();
  }
}

async function leadersOf(stage: Stage): Promise<number[]> {
  return (await partitionsOf(stage)).map(({ leader }) => leader);
}

async function isWhole(stage: Stage): Promise<boolean> {
  const partitions = await partitionsOf(stage);
  return partitions.length > 0 && partitions.every(({ isr }) => isr.length === 3);
}
