import { afterAll, beforeAll, expect, test } from "bun:test";
import { defineSource } from "../connector.ts";
import { string } from "../config/fields.ts";
import { place, WorkerScene } from "../worker/worker.test-helper.ts";

// All that holds for a worker holds for one whose tasks share hosts.
beforeAll(() => void (place.in = "shared hosts"));
afterAll(() => void (place.in = "worker"));
// By another name, as the file itself may have been run before.
const stories = "../worker/local-worker.test.ts?shared";
await import(stories);

/** Nothing, for ever. */
const WAITING = defineSource({
  name: "waiting",
  version: "1",
  doc: "Waits.",
  config: { topic: string() },
  async *read({ clock, signal }) {
    yield [];
    while (!signal.aborted) await clock.sleep(1000, signal);
  },
});

const config = (name: string) => ({ name, "connector.class": "waiting", topic: "none" });

function story(body: (scene: WorkerScene) => Promise<void>): void {
  const scene = new WorkerScene({}, [WAITING]);
  scene.run(() => body(scene));
}

async function started(scene: WorkerScene, name: string, tasks: number): Promise<void> {
  const count = () => scene.said.filter((line) => /^.*-\d RUNNING$/.test(line)).length;
  const before = count();
  scene.start(config(name), tasks);
  await scene.until(() => count() === before + tasks);
}

async function restarted(scene: WorkerScene, name: string): Promise<void> {
  await scene.worker.stopTask({ connector: name, task: 0 });
  await started(scene, name, 1);
}

test("tasks share as many hosts as there may be, and each begins where there are fewest", () =>
  story(async (scene) => {
    await started(scene, "one", 1);
    expect(scene.hosts).toHaveLength(1);
    await started(scene, "more", 3);
    expect(scene.hosts).toHaveLength(2);
    scene.hosts[1]!.kill("exit code 7");
    await scene.until(() => scene.traces.length === 2);
    expect(scene.said.filter((line) => line.endsWith("FAILED"))).toEqual([
      "more-0 FAILED",
      "more-2 FAILED",
    ]);
  }));

test("what has failed with others begins in a host of its own, and then fails alone", () =>
  story(async (scene) => {
    await started(scene, "bad", 1);
    await started(scene, "other", 1);
    await started(scene, "good", 1);
    const failed = () => scene.said.filter((line) => line.endsWith("FAILED"));
    // Which of the two has kept it busy nobody knows.
    scene.hosts[0]!.kill("it has not answered");
    await scene.until(() => failed().length === 2);
    expect(failed()).toEqual(["bad-0 FAILED", "good-0 FAILED"]);
    await restarted(scene, "bad");
    await restarted(scene, "good");
    expect(scene.hosts).toHaveLength(4);
    scene.hosts[2]!.kill("it has not answered");
    await scene.until(() => failed().length === 3);
    expect(failed()).toEqual(["bad-0 FAILED", "good-0 FAILED", "bad-0 FAILED"]);
    await restarted(scene, "bad");
    expect(scene.hosts).toHaveLength(5);
  }));
