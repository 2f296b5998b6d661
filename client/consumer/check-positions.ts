/**
 * After a change of leaders: is what was read still there (KIP-320)? An unclean election may have cut
 * it off; the new leader then has other records at the same offsets, or fewer.
 */
import { Errors } from "../../core/errors.ts";
import { groupBy } from "../../core/group-by.ts";
import { offsetForLeaderEpoch } from "../../core/protocol/23-offset-for-leader-epoch.ts";
import type { Cluster } from "../cluster.ts";
import { KafkaError } from "../errors.ts";
import { partitionKey } from "../group-protocol.ts";

/** Replica −2, the default, is for debugging; a consumer needs less authority. */
const CONSUMER_REPLICA = -1;
/** The first that asks for no authority over the cluster. */
const VERSION_MIN = 3;

/** Where something was read to. */
export interface EpochPosition {
  readonly topic: string;
  readonly partition: number;
  readonly fetchOffset: number;
  /** Of the batch before `fetchOffset`. */
  readonly offsetEpoch: number;
  /** Of the leader that is asked. */
  readonly leaderEpoch: number;
}

/**
 * What has become of a position. `cut`: what was read from `endOffset` on is gone; −1: from where
 * nobody knows.
 */
export type Verdict =
  | { readonly kind: "there" }
  | { readonly kind: "cut"; readonly endOffset: number; readonly epoch: number }
  | { readonly kind: "failed"; readonly error: KafkaError };

/** Asks the leader, in one request. Throws errors of the connection. */
export async function checkPositions<P extends EpochPosition>(
  cluster: Cluster,
  leader: number,
  positions: readonly P[],
): Promise<Map<P, Verdict>> {
  const verdicts = new Map<P, Verdict>();
  const connection = await cluster.broker(leader);
  if ((connection.versionOf(offsetForLeaderEpoch) ?? 0) < VERSION_MIN) {
    for (const position of positions) verdicts.set(position, { kind: "there" });
    return verdicts;
  }
  const response = await connection.request(offsetForLeaderEpoch, {
    replicaId: CONSUMER_REPLICA,
    topics: [...groupBy(positions, ({ topic }) => topic)].map(([topic, list]) => ({
      topic,
      partitions: list.map(({ partition, leaderEpoch, offsetEpoch }) => ({
        partition,
        currentLeaderEpoch: leaderEpoch,
        leaderEpoch: offsetEpoch,
      })),
    })),
  }, { timeoutMs: cluster.options.requestTimeoutMs });
  const answers = new Map(
    response.topics.flatMap(({ topic, partitions }) =>
      partitions.map((answer) => [partitionKey(topic, answer.partition), answer] as const)
    ),
  );
  for (const position of positions) {
    const answer = answers.get(partitionKey(position.topic, position.partition));
    verdicts.set(position, verdictOf(position, answer));
  }
  return verdicts;
}

function verdictOf(
  { topic, partition, fetchOffset }: EpochPosition,
  answer: { errorCode: number; leaderEpoch: number; endOffset: bigint } | undefined,
): Verdict {
  const errorCode = answer?.errorCode ?? Errors.UNKNOWN_SERVER_ERROR;
  if (answer === undefined || errorCode !== Errors.NONE) {
    const subject = `end of a leader epoch of ${topic}-${partition}`;
    return { kind: "failed", error: new KafkaError(errorCode, subject) };
  }
  if (answer.endOffset < 0n || answer.leaderEpoch < 0) {
    return { kind: "cut", endOffset: -1, epoch: -1 };
  }
  const endOffset = Number(answer.endOffset);
  if (endOffset >= fetchOffset) return { kind: "there" };
  return { kind: "cut", endOffset, epoch: answer.leaderEpoch };
}
