import { expect, test } from "bun:test";
import { atOnce } from "../../core/steps.ts";
import { errorName } from "../../core/errors.ts";
import { MetadataImage } from "../metadata-image.ts";
import type { PartitionRecord } from "../metadata-records.ts";
import { planProposal, type ProposedPartition } from "./alter-partition.ts";
import { type BrokerChange, leadsAny, partitionsAfter } from "./broker-changes.ts";

const ID = "abcdefghijklmnopqrstuA";
const partition = (more: Partial<PartitionRecord> = {}): PartitionRecord => ({
  type: "partition",
  version: 1,
  topicId: ID,
  partition: 0,
  replicas: [1, 2, 3],
  isr: [1, 2],
  leader: 1,
  leaderEpoch: 4,
  partitionEpoch: 9,
  ...more,
});
const imageOf = (...partitions: PartitionRecord[]) =>
  MetadataImage.EMPTY.apply([{ type: "topic", version: 1, name: "t", id: ID }, ...partitions], 1)
    .image;
const elections = (alive: readonly number[], electsUncleanly = false) => ({
  isAlive: (id: number) => alive.includes(id),
  minInsync: () => 2,
  electsUncleanly: () => electsUncleanly,
});

function propose(
  more: Partial<ProposedPartition>,
  leader = 1,
  as: Partial<PartitionRecord> = {},
) {
  const context = {
    ...elections([1, 2, 3]),
    mayBeInIsr: (id: number, epoch: number) => id !== 3 || epoch === 30,
  };
  const { records, error, state } = planProposal(imageOf(partition(as)), leader, {
    topicId: ID,
    partition: 0,
    leaderEpoch: 4,
    partitionEpoch: 9,
    isr: [{ brokerId: 1, brokerEpoch: -1 }, { brokerId: 3, brokerEpoch: 30 }],
    isRecovering: false,
    ...more,
  }, context);
  const isr = records.map((record) => record.type === "partition" ? record.isr : null);
  return { error: errorName(error), isr, partitionEpoch: state?.partitionEpoch ?? null };
}

test("a proposal may complete a reassignment, and so end the office of who has made it", () => {
  const isr = [1, 2, 3].map((brokerId) => ({ brokerId, brokerEpoch: brokerId === 3 ? 30 : -1 }));
  const kept = { replicas: [1, 3, 2], adding: [3], removing: [2] };
  expect(propose({ isr }, 1, kept)).toEqual({ error: "NONE", isr: [[1, 3]], partitionEpoch: 10 });
  const gone = { replicas: [2, 3, 1], adding: [3], removing: [1] };
  expect(propose({ isr }, 1, gone))
    .toEqual({ error: "NEW_LEADER_ELECTED", isr: [[2, 3]], partitionEpoch: 10 });
});

test("a proposal is taken as it is if its epochs are the present ones", () => {
  expect(propose({})).toEqual({ error: "NONE", isr: [[1, 3]], partitionEpoch: 10 });
  const wrong: [Partial<ProposedPartition>, string][] = [
    [{ topicId: "bbcdefghijklmnopqrstuA" }, "UNKNOWN_TOPIC_ID"],
    [{ partition: 1 }, "UNKNOWN_TOPIC_OR_PARTITION"],
    [{ leaderEpoch: 3 }, "FENCED_LEADER_EPOCH"],
    [{ leaderEpoch: 5 }, "NOT_CONTROLLER"],
    [{ partitionEpoch: 8 }, "INVALID_UPDATE_VERSION"],
    [{ partitionEpoch: 10 }, "NOT_CONTROLLER"],
    [{ isr: [{ brokerId: 2, brokerEpoch: -1 }] }, "INVALID_REQUEST"],
    [{ isr: [1, 1].map((brokerId) => ({ brokerId, brokerEpoch: -1 })) }, "INVALID_REQUEST"],
    [{ isr: [1, 4].map((brokerId) => ({ brokerId, brokerEpoch: -1 })) }, "INVALID_REQUEST"],
    [{ isRecovering: true }, "INVALID_REQUEST"],
  ];
  for (const [change, error] of wrong) expect(propose(change)).toMatchObject({ error, isr: [] });
  expect(propose({}, 2)).toMatchObject({ error: "INVALID_REQUEST", isr: [] });
});

test("who may not be in the ISR is refused, and no copy of the proposal can be taken later", () => {
  const isr = [{ brokerId: 1, brokerEpoch: -1 }, { brokerId: 3, brokerEpoch: 29 }];
  expect(propose({ isr })).toEqual({
    error: "INELIGIBLE_REPLICA",
    isr: [[1, 2]],
    partitionEpoch: 10,
  });
});

test("brokers that come and go change the partitions that they are in, and no others", () => {
  const image = imageOf(
    partition(),
    partition({ partition: 1, isr: [2, 3], leader: 2 }),
    partition({ partition: 2, isr: [], elr: [3], leader: -1 }),
  );
  const after = (change: BrokerChange, alive: readonly number[], unclean = false) =>
    atOnce(partitionsAfter(image, change, elections(alive, unclean))).map((record) => {
      if (record.type !== "partition") throw new Error(record.type);
      const { partition, leader, isr, elr = [] } = record;
      return [partition, leader, isr, elr];
    });
  expect(after({ leaving: [1] }, [2, 3])).toEqual([[0, 2, [2], [1]]]);
  expect(after({ leaving: [2] }, [1, 3])).toEqual([[0, 1, [1], [2]], [1, 3, [3], [2]]]);
  expect(after({ unclean: [3] }, [1, 2])).toEqual([[1, 2, [2], []], [2, -1, [], []]]);
  expect(after({ returning: [3] }, [1, 2, 3])).toEqual([[2, 3, [3], []]]);
  expect(after({ returning: [1] }, [1, 2])).toEqual([]);
  expect(after({ returning: [1] }, [1, 2], true)).toEqual([[2, 1, [1], []]]);
  expect([1, 2, 3].map((id) => leadsAny(image, id))).toEqual([true, true, false]);
});
