import { afterAll, beforeAll, expect, test } from "bun:test";
import { defineSource } from "../connector.ts";
import { string } from "../config/fields.ts";
import { place, WorkerScene } from "../worker/worker.test-helper.ts";

// All that holds for a worker holds for one whose tasks are in hosts.
beforeAll(() => void (place.in = "hosts"));
afterAll(() => void (place.in = "worker"));
// By another name, as the file itself may have been run before.
const stories = "../worker/local-worker.test.ts?apart";
await import(stories);

/** A record each second, for ever. */
const TICKING = defineSource({
  name: "ticking",
  version: "1",
  doc: "Ticks.",
  config: { topic: string() },
  async *read({ config, clock, offsets, signal }) {
    const last = await offsets.get({ clock: "only" });
    for (let n = Number(last?.["n"] ?? 0); !signal.aborted; n++) {
      yield [{
        topic: config.topic,
        value: `${n}`,
        sourcePartition: { clock: "only" },
        sourceOffset: { n: n + 1 },
      }];
      await clock.sleep(1000, signal);
    }
  },
});

const TICKS = { name: "ticks", "connector.class": "ticking", topic: "ticks" };

function running(story: (scene: WorkerScene) => Promise<void>): void {
  const scene = new WorkerScene({}, [TICKING]);
  scene.run(async () => {
    scene.start(TICKS);
    await scene.until(() => scene.said.includes("ticks-0 RUNNING"));
    await story(scene);
  });
}

test("a task fails with its host, and says why", () =>
  running(async (scene) => {
    scene.hosts.at(-1)!.kill("exit code 7");
    await scene.until(() => scene.said.includes("ticks-0 FAILED"));
    expect(scene.traces[0]).toContain("the host of this connector has ended: exit code 7");
    await scene.worker.stopTask({ connector: "ticks", task: 0 });
    scene.start(TICKS);
    await scene.until(() => scene.said.filter((line) => line === "ticks-0 RUNNING").length === 2);
    expect(scene.hosts).toHaveLength(2);
  }));

test("a host that does not answer is ended, and hosts that hear nothing end themselves", () =>
  running(async (scene) => {
    scene.hosts.at(-1)!.isCut = true;
    await scene.until(() => scene.said.includes("ticks-0 FAILED"));
    // Its lease is shorter than the worker's patience.
    expect(scene.traces[0]).toContain("it has ended itself");
    const before = await scene.values("ticks");
    await scene.pass(5000);
    expect(await scene.values("ticks")).toEqual(before);
  }));

test("a source that ends leaves no host behind", () => {
  const once = { ...TICKING, read: () => [[{ topic: "ticks", value: "only" }]] };
  const scene = new WorkerScene({}, [{
    ...once,
    read: async function* () {
      yield* once.read();
      await Promise.resolve();
    },
  }]);
  scene.run(async () => {
    scene.start(TICKS);
    await scene.until(() => scene.said.includes("ticks-0 finished"));
    expect(await scene.hosts[0]!.ended).toBe("it was told to end");
    expect(await scene.values("ticks")).toEqual(["only"]);
  });
});
