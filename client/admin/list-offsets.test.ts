/** `Admin.listOffsets` over a scripted broker. */
import { expect, test } from "bun:test";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { Cluster } from "../cluster.ts";
import { FakeBroker } from "../fake-broker.test-helper.ts";
import { ListOffsetsQuery } from "./list-offsets.ts";

test("a partition that the broker leaves out has an error in its place", () => {
  const clock = new SimClock(0);
  const broker = new FakeBroker(clock, { t: 3 });
  broker.on(listOffsets, ({ topics }) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.filter(({ partitionIndex }) => partitionIndex !== 1)
        .map(({ partitionIndex }) => ({ partitionIndex, offset: BigInt(partitionIndex + 10) })),
    })),
  }));
  const cluster = new Cluster(
    { clock, network: broker, random: new SimRandom(1) },
    { brokers: ["broker:9092"] },
  );
  const at = "latest" as const;
  const asked = new ListOffsetsQuery(cluster, {}).run([
    { topic: "t", partition: 2, at },
    { topic: "t", partition: 1, at },
    { topic: "t", partition: 0, at },
  ]);
  const answers = clock.run(asked);
  expect(answers.map(({ partition, offset, error }) => [partition, offset, error?.message ?? null]))
    .toEqual([
      [2, 12n, null],
      [
        1,
        -1n,
        expect.stringContaining("offsets of t-1: UNKNOWN_SERVER_ERROR, the broker has left"),
      ],
      [0, 10n, null],
    ]);
  cluster.close();
});
