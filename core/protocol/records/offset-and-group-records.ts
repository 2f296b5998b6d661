/** Records of classic groups and of committed offsets in `__consumer_offsets`. */
import { array, bytes, coordinatorRecord, int32, int64, string, uuid } from "../schema.ts";

const memberMetadata = {
  memberId: string("0+"),
  groupInstanceId: string("3+", { nullable: "3+", default: null, ignorable: true }),
  clientId: string("0+"),
  clientHost: string("0+"),
  rebalanceTimeout: int32("1+", { default: -1, ignorable: true }),
  sessionTimeout: int32("0+"),
  subscription: bytes("0+"),
  assignment: bytes("0+"),
};

export const legacyOffsetCommitRecord = coordinatorRecord({
  type: 0,
  name: "LegacyOffsetCommit",
  versions: "0",
  flexible: "none",
  key: {
    group: string("0"),
    topic: string("0"),
    partition: int32("0"),
  },
  value: {
    offset: int64("0"),
    metadata: string("0"),
    commitTimestamp: int64("0"),
  },
});

export const offsetCommitRecord = coordinatorRecord({
  type: 1,
  name: "OffsetCommit",
  versions: "0-4",
  flexible: "4+",
  key: {
    group: string("0"),
    topic: string("0"),
    partition: int32("0"),
  },
  value: {
    offset: int64("0+"),
    leaderEpoch: int32("3+", { default: -1, ignorable: true }),
    metadata: string("0+"),
    commitTimestamp: int64("0+"),
    expireTimestamp: int64("1", { default: -1n, ignorable: true }),
    topicId: uuid("4+", { tag: 0, ignorable: true }),
  },
});

export const groupMetadataRecord = coordinatorRecord({
  type: 2,
  name: "GroupMetadata",
  versions: "0-4",
  flexible: "4+",
  key: {
    group: string("0"),
  },
  value: {
    protocolType: string("0+"),
    generation: int32("0+"),
    protocol: string("0+", { nullable: "0+" }),
    leader: string("0+", { nullable: "0+" }),
    currentStateTimestamp: int64("2+", { default: -1n, ignorable: true }),
    members: array("0+", memberMetadata),
  },
});
