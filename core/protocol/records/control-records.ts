/** Keys and values of control records, and entries of the index of aborted transactions. */
import { array, data, int16, int32, int64, uuid } from "../schema.ts";

const voter = {
  voterId: int32("0+"),
  voterDirectoryId: uuid("1+"),
};

/** Key of a control record; its version stands before it as an int16. */
export const controlRecordTypeSchema = data({
  name: "ControlRecordTypeSchema",
  versions: "0",
  flexible: "none",
  fields: {
    type: int16("0+"),
  },
});

/** Value of a commit or abort marker, after an int16 version. */
export const endTxnMarker = data({
  name: "EndTxnMarker",
  versions: "0",
  flexible: "none",
  fields: {
    coordinatorEpoch: int32("0+"),
  },
});

/** Value of a leader-change record of a Raft log. */
export const leaderChangeMessage = data({
  name: "LeaderChangeMessage",
  versions: "0-1",
  flexible: "0+",
  fields: {
    version: int16("0+"),
    leaderId: int32("0+"),
    voters: array("0+", voter),
    grantingVoters: array("0+", voter),
  },
});

/** Entry of a `.txnindex` file, after an int16 version. */
export const abortedTxn = data({
  name: "AbortedTxn",
  versions: "0",
  flexible: "none",
  fields: {
    producerId: int64("0+"),
    firstOffset: int64("0+"),
    lastOffset: int64("0+"),
    lastStableOffset: int64("0+"),
  },
});
