/** Herders of a group, against a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { GroupScene, SESSION_MS } from "./worker-herder.test-helper.ts";

test("workers share connectors and tasks, and give some to who comes; nothing runs twice", () => {
  const scene = new GroupScene();
  scene.run(async () => {
    const { running } = scene;
    await scene.join("a");
    await scene.until("a leads", () => scene.workers.get("a")!.membership.isLeader);
    for (let i = 0; i < 6; i++) await scene.create(`c${i}`, { tasks: "2" });
    await scene.until("all run", () => running.at.size === 18);
    expect(scene.counts()).toEqual({ a: [6, 12] });
    const before = new Map(running.begun);
    await scene.join("b");
    await scene.until("b has its part", () => scene.counts()["b"]?.[1] === 6);
    await scene.until("all run", () => running.at.size === 18);
    expect(scene.counts()).toEqual({ a: [3, 6], b: [3, 6] });
    // Nine pieces moved, and nothing else was begun again.
    expect([...running.begun].filter(([what, n]) => n !== before.get(what)).length).toBe(9);
    await scene.join("c");
    await scene.until("c has its part", () => scene.counts()["c"]?.[1] === 4);
    await scene.until("all run", () => running.at.size === 18);
    expect(scene.counts()).toEqual({ a: [2, 4], b: [2, 4], c: [2, 4] });
    expect(running.trouble).toEqual([]);
  });
});

test("a changed connector disturbs no other", () => {
  const scene = new GroupScene();
  scene.run(async () => {
    const { running } = scene;
    await Promise.all([scene.join("a"), scene.join("b")]);
    await scene.until(
      "both are in",
      () => [...scene.workers.values()].every((w) => w.membership.isStable),
    );
    for (let i = 0; i < 4; i++) await scene.create(`c${i}`, { tasks: "2" });
    await scene.until("all run", () => running.at.size === 12);
    const before = new Map(running.begun);
    await scene.create("c0", { tasks: "3" });
    await scene.until("its third task runs", () => running.at.has("c0-2"));
    await scene.until("all run", () => running.at.size === 13);
    const changed = [...running.begun].filter(([what, n]) => n !== before.get(what));
    expect(changed.map(([what]) => what).sort()).toEqual(["c0", "c0-0", "c0-1", "c0-2"]);
    await scene.leader.setTarget("c1", "PAUSED");
    await scene.until(
      "it is paused",
      () => scene.leader.status("c1").tasks.every((t) => t.state === "PAUSED"),
    );
    await scene.leader.setTarget("c1", "STARTED");
    await scene.until("it runs", () => scene.leader.status("c1").worst === "RUNNING");
    await scene.leader.setTarget("c2", "STOPPED");
    await scene.until("it has stopped", () => !running.at.has("c2-0") && !running.at.has("c2-1"));
    await scene.until("it says so", () => scene.leader.status("c2").tasks.length === 0);
    await scene.leader.setTarget("c2", "STARTED");
    await scene.until("it runs again", () => running.at.has("c2-0") && running.at.has("c2-1"));
    await scene.leader.delete("c3");
    await scene.until("it is gone", () => running.at.size === 10);
    await scene.until("its status, too", () => scene.leader.connectors().length === 3);
    expect(running.trouble).toEqual([]);
    // A rebalance has moved no more than it had to: those that nobody changed run since before.
    expect(running.begun.get("c1-0")).toBeLessThanOrEqual(2);
  });
});

test("work of a worker that is killed goes to the others, also if it was the leader", () => {
  const scene = new GroupScene();
  scene.run(async () => {
    const { running } = scene;
    for (const name of ["a", "b", "c"]) await scene.join(name);
    await scene.until(
      "all are in",
      () => [...scene.workers.values()].every((w) => w.membership.isStable),
    );
    for (let i = 0; i < 5; i++) await scene.create(`c${i}`, { tasks: "2" });
    await scene.until("all run", () => running.at.size === 15);
    const leader = [...scene.workers.values()].find((w) => w.membership.isLeader)!;
    scene.kill(leader.name);
    await scene.until("all run again", () => running.at.size === 15);
    const [other] = scene.workers.keys();
    scene.kill(other!);
    await scene.until("all run on the last one", () => running.at.size === 15);
    await scene.until("its status says so", () => {
      const [[name]] = [...scene.workers] as [[string, unknown]];
      return scene.leader.connectors().every((connector) => {
        const { connector: own, tasks } = scene.leader.status(connector);
        return [own, ...tasks].every(({ state, workerId }) =>
          state === "RUNNING" && workerId === name
        );
      });
    });
    expect(running.trouble).toEqual([]);
  });
});

test("a worker that is cut off has stopped all before others begin it", () => {
  const scene = new GroupScene();
  scene.run(async () => {
    const { running } = scene;
    scene.stopMs = () => 1000;
    for (const name of ["a", "b"]) await scene.join(name);
    await scene.until(
      "all are in",
      () => [...scene.workers.values()].every((w) => w.membership.isStable),
    );
    for (let i = 0; i < 4; i++) await scene.create(`c${i}`, { tasks: "2" });
    await scene.until("all run", () => running.at.size === 12);
    const cut = [...scene.workers.values()].find((w) => !w.membership.isLeader)!;
    cut.io.network.isolate();
    const cutMs = scene.world.clock.monotonicMs();
    await scene.until("it has stopped", () => scene.counts()[cut.name] === undefined);
    expect(scene.world.clock.monotonicMs() - cutMs).toBeLessThan(SESSION_MS);
    await scene.until("the other has all", () => running.at.size === 12);
    cut.io.network.heal();
    await scene.until("it has its part again", () => scene.counts()[cut.name]?.[1] === 4);
    await scene.until("all run", () => running.at.size === 12);
    expect(running.trouble).toEqual([]);
  });
});

test("what fails is begun again after pauses that grow, and up to a cap", () => {
  const restarts = { maxAttempts: 3, backoffMs: 1000, backoffMaxMs: 10_000, wellAfterMs: 600_000 };
  const scene = new GroupScene({ restarts });
  scene.run(async () => {
    await scene.join("a");
    await scene.until("a leads", () => scene.workers.get("a")!.membership.isLeader);
    await scene.create("c", { fails: "task" });
    await scene.until("it has failed", () => scene.leader.status("c").tasks[0]?.state === "FAILED");
    expect(scene.leader.status("c").worst).toBe("FAILED");
    expect(scene.leader.status("c").connector.state).toBe("RUNNING");
    await sleep(scene.world.clock, 900);
    expect(scene.running.begun.get("c-0")).toBe(1);
    await sleep(scene.world.clock, 1 + 2 + 4 + 60_000);
    expect(scene.running.begun.get("c-0")).toBe(4);
    await scene.leader.restartTask({ connector: "c", task: 0 });
    await sleep(scene.world.clock, 60_000);
    expect(scene.running.begun.get("c-0")).toBe(8);
    await scene.create("c", {});
    await scene.until("it runs", () => scene.leader.status("c").worst === "RUNNING");
  });
});

test("tasks of exactly-once sources begin when those of before are fenced", () => {
  const scene = new GroupScene({ isExactlyOnce: true });
  scene.run(async () => {
    await scene.join("a");
    await scene.until("a leads", () => scene.workers.get("a")!.membership.isLeader);
    const exactly = { "exactly.once.support": "required" };
    await scene.create("c", { tasks: "3", ...exactly });
    await scene.until("it runs", () => scene.running.at.size === 4);
    await scene.leader.internal.fence("c");
    expect(scene.fenced).toEqual([]);
    await scene.create("c", { tasks: "2", ...exactly });
    await scene.until("it runs with two", () => scene.running.begun.get("c-1") === 2);
    await scene.leader.internal.fence("c");
    expect(scene.fenced).toEqual(["g-c-0", "g-c-1", "g-c-2"]);
    // Once is enough for what is written now.
    await scene.leader.internal.fence("c");
    expect(scene.fenced.length).toBe(3);
  });
});

test("what a worker cannot say while the brokers are away it says afterwards", () => {
  const scene = new GroupScene();
  scene.run(async () => {
    const { io, herder, membership } = await scene.join("a");
    await scene.until("a leads", () => membership.isLeader);
    await scene.create("c", {});
    await scene.until("it runs", () => herder.status("c").worst === "RUNNING");
    io.network.isolate();
    // The session ends, and with it all that runs here.
    await scene.until("it has stopped", () => scene.running.at.size === 0);
    await sleep(scene.world.clock, 200_000);
    io.network.heal();
    await scene.until("it runs again", () => scene.running.at.size === 2);
    await scene.until("and says so", () => {
      const { connector, tasks } = herder.status("c");
      return connector.state === "RUNNING" && tasks[0]?.state === "RUNNING";
    });
    await sleep(scene.world.clock, 130_000);
    expect(herder.status("c").worst).toBe("RUNNING");
  });
});
