import { expect, test } from "bun:test";
import type {
  ControllerElection,
  ElectedController,
  ElectionListener,
} from "../../cluster/controller-election.ts";
import { MemoryMetadataLog } from "../../cluster/memory-metadata-log.test-helper.ts";
import { type MetadataReadResult, MetadataUnavailableError } from "../../cluster/metadata-log.ts";
import { MetadataFormatError } from "../../cluster/metadata-records.ts";
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import { Controller } from "../controller.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { ControllerRole } from "./controller-role.ts";

/** A log that can be slow, out of reach, or written by somebody else's program. */
class OddLog extends MemoryMetadataLog {
  mood: "fine" | "away" | "odd" = "fine";
  delayMs = 0;
  constructor(readonly clock: SimClock) {
    super();
  }
  override async read(position: number): Promise<MetadataReadResult> {
    if (this.delayMs > 0) await sleep(this.clock, this.delayMs);
    if (this.mood === "away") throw new MetadataUnavailableError("etcd cannot be reached");
    if (this.mood === "odd") throw new MetadataFormatError("an unknown metadata record");
    return await super.read(position);
  }
}

/** A node whose elections the test decides, and that writes down what it does. */
function world() {
  const clock = new SimClock(1_700_000_000_000);
  const random = new SimRandom(1);
  const log = new OddLog(clock);
  const config = BrokerConfig.of({ "node.id": "1" });
  const metadata = new MetadataCache(config, 1);
  const controller = Controller.candidate({ clock, random, logger: silentLogger, log, metadata });
  const steps: string[] = [];
  let listener: ElectionListener | null = null;
  const deposed: ElectedController[] = [];
  const election: ControllerElection = {
    term: null,
    controller: null,
    onChange: () => () => {},
    campaign: (each) => void (listener = each),
    depose: (each) => Promise.resolve(void deposed.push(each)),
    resign: () => {
      steps.push("resign");
      listener?.onLost("it has resigned");
      return Promise.resolve();
    },
  };
  const role = new ControllerRole({
    ...{
      clock,
      logger: silentLogger,
      config,
      nodeId: 1,
      incarnationId: "i",
      clusterId: "c",
      metadata,
      controller,
    },
    election,
    follower: {
      start: () => void steps.push("follow"),
      stop: async () => {
        await sleep(clock, 50);
        steps.push("unfollow");
      },
    },
    onBug: (error) => void steps.push(String(error)),
  });
  role.start({ host: "10.0.0.1", port: 9092 });
  return {
    ...{ clock, log, controller, role, steps },
    elect: (term: number) => listener?.onElected(term),
    lose: () => listener?.onLost("the test says so"),
    settle: () => clock.advance(1000),
  };
}

test("a node follows the metadata until it is in office, and again afterwards", () => {
  const { controller, role, steps, elect, lose, settle } = world();
  expect(steps).toEqual(["follow"]);
  elect(1);
  expect(role.brokers).toBeNull();
  settle();
  expect(controller.isActive).toBe(true);
  expect(role.brokers).not.toBeNull();
  const { brokers } = role;
  lose();
  expect(role.brokers).toBeNull();
  expect(controller.isActive).toBe(false);
  settle();
  expect(steps).toEqual(["follow", "unfollow", "follow"]);
  elect(3);
  settle();
  expect(role.brokers).not.toBe(brokers);
});

test("what changes while it changes is followed as well", () => {
  const { controller, log, role, steps, elect, lose, settle } = world();
  log.delayMs = 200;
  elect(1);
  lose();
  elect(2);
  settle();
  expect(controller.isActive).toBe(true);
  lose();
  elect(3);
  lose();
  settle();
  expect([controller.isActive, role.brokers]).toEqual([false, null]);
  expect(steps.at(-1)).toBe("follow");
  expect(steps.filter((step) => step.startsWith("Assertion"))).toEqual([]);
});

test("the office is taken once the log can be read", () => {
  const { clock, controller, log, role, elect, lose, settle, steps } = world();
  log.mood = "away";
  elect(1);
  clock.advance(20_000);
  expect([controller.isActive, role.brokers]).toEqual([false, null]);
  log.mood = "fine";
  settle();
  expect(controller.isActive).toBe(true);
  lose();
  log.mood = "away";
  elect(2);
  settle();
  lose();
  settle();
  expect(steps).toEqual(["follow", "unfollow", "follow", "unfollow", "follow"]);
});

test("who cannot read the metadata leaves the office to others, and goes on following", () => {
  const { controller, log, elect, settle, steps } = world();
  log.mood = "odd";
  elect(1);
  settle();
  expect(controller.isActive).toBe(false);
  expect(steps).toEqual(["follow", "unfollow", "resign", "follow"]);
});

test("a node that stops follows no more, whatever it was", () => {
  for (const isElected of [false, true]) {
    const { clock, controller, elect, role, settle, steps } = world();
    if (isElected) elect(1);
    settle();
    clock.run(role.stop());
    expect(controller.isActive).toBe(false);
    expect(steps.slice(0, 3)).toEqual(
      isElected ? ["follow", "unfollow", "resign"] : ["follow", "resign", "unfollow"],
    );
    settle();
    expect(steps).toHaveLength(3);
  }
});
