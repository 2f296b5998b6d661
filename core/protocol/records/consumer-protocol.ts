/** What consumers put into JoinGroup and SyncGroup: an int16 version, then the message. */
import { array, bytes, data, int32, string } from "../schema.ts";

/** What a member subscribes to, and what it owned before. */
export const consumerProtocolSubscription = data({
  name: "ConsumerProtocolSubscription",
  versions: "0-3",
  flexible: "none",
  fields: {
    topics: array("0+", "string"),
    userData: bytes("0+", { nullable: "0+", default: null }),
    ownedPartitions: array("1+", {
      topic: string("1+"),
      partitions: array("1+", "int32"),
    }, { ignorable: true }),
    generationId: int32("2+", { default: -1, ignorable: true }),
    rackId: string("3+", { nullable: "3+", default: null, ignorable: true }),
  },
});

/** What a member is to read. */
export const consumerProtocolAssignment = data({
  name: "ConsumerProtocolAssignment",
  versions: "0-3",
  flexible: "none",
  fields: {
    assignedPartitions: array("0+", {
      topic: string("0+"),
      partitions: array("0+", "int32"),
    }),
    userData: bytes("0+", { nullable: "0+", default: null }),
  },
});
