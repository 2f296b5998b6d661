/** Members of groups whose coordinator nobody knows for minutes, as when its partition has no leader. */
import { expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { Consumer } from "../consumer.ts";
import { FakeBroker } from "../fake-broker.test-helper.ts";

for (const groupProtocol of ["classic", "consumer"] as const) {
  test(`${groupProtocol}: what lasts is told, and the member goes on trying`, () => {
    const clock = new SimClock(0);
    const broker = new FakeBroker(clock, { t: 1 });
    let lastAskedMs = 0;
    broker.on(findCoordinator, () => {
      lastAskedMs = clock.monotonicMs();
      const errorCode = Errors.COORDINATOR_NOT_AVAILABLE;
      return { coordinators: [{ key: "g", errorCode }] };
    });
    const io = { clock, network: broker, random: new SimRandom(1) };
    const consumer = new Consumer(io, { brokers: ["broker:9092"], groupId: "g", groupProtocol });
    consumer.subscribe(["t"]);
    const errors: string[] = [];
    const next = () =>
      void consumer.nextChunk().catch((error: unknown) => {
        errors.push(String(error));
        next();
      });
    next();
    clock.advance(300_000);
    expect(errors[0]).toContain("COORDINATOR_NOT_AVAILABLE");
    expect(lastAskedMs).toBeGreaterThan(290_000);
    clock.run(consumer.close());
  });
}
