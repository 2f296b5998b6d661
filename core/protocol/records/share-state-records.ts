/** Records of `__share_group_state` (KIP-932). */
import { array, coordinatorRecord, int16, int32, int64, int8, string, uuid } from "../schema.ts";

export const shareSnapshotRecord = coordinatorRecord({
  type: 0,
  name: "ShareSnapshot",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    topicId: uuid("0"),
    partition: int32("0"),
  },
  value: {
    snapshotEpoch: int32("0+"),
    stateEpoch: int32("0+"),
    leaderEpoch: int32("0+"),
    startOffset: int64("0+"),
    deliveryCompleteCount: int32("0+", { default: -1, tag: 0 }),
    createTimestamp: int64("0+"),
    writeTimestamp: int64("0+"),
    stateBatches: array("0+", {
      firstOffset: int64("0+"),
      lastOffset: int64("0+"),
      deliveryState: int8("0+"),
      deliveryCount: int16("0+"),
    }),
  },
});

export const shareUpdateRecord = coordinatorRecord({
  type: 1,
  name: "ShareUpdate",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    topicId: uuid("0"),
    partition: int32("0"),
  },
  value: {
    snapshotEpoch: int32("0+"),
    leaderEpoch: int32("0+"),
    startOffset: int64("0+"),
    deliveryCompleteCount: int32("0+", { default: -1, tag: 0 }),
    stateBatches: array("0+", {
      firstOffset: int64("0+"),
      lastOffset: int64("0+"),
      deliveryState: int8("0+"),
      deliveryCount: int16("0+"),
    }),
  },
});
