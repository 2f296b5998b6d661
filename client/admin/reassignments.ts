/** Partitions that move to other brokers (KIP-455), and brokers that leave for good. */
import { alterPartitionReassignments } from "../../core/protocol/45-alter-partition-reassignments.ts";
import { listPartitionReassignments } from "../../core/protocol/46-list-partition-reassignments.ts";
import { unregisterBroker } from "../../core/protocol/64-unregister-broker.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { Errors } from "../../core/errors.ts";
import { groupBy } from "../../core/group-by.ts";
import type { Cluster } from "../cluster.ts";
import { KafkaError, throwOnError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";

/** A partition and the brokers that it is to be on, the preferred leader first; null: cancel. */
export interface WantedReplicas {
  readonly topic: string;
  readonly partition: number;
  readonly replicas: readonly number[] | null;
}

/** What came of one of them. */
export interface ReassignmentResult {
  readonly topic: string;
  readonly partition: number;
  readonly error: KafkaError | null;
}

/** A partition that is moving. */
export interface Reassignment {
  readonly topic: string;
  readonly partition: number;
  /** All of now, those to come and those to go among them. */
  readonly replicas: readonly number[];
  readonly adding: readonly number[];
  readonly removing: readonly number[];
}

/** So many partitions go into one request. */
const BATCH = 1000;
/** The cluster gives up so much sooner than we do: else nobody would hear why. */
const GRACE_MS = 2000;

/** Starts moves and cancels them; answers when they have begun, in the order of `wanted`. */
export async function alterReassignments(
  cluster: Cluster,
  wanted: readonly WantedReplicas[],
  options: OperationOptions = {},
): Promise<ReassignmentResult[]> {
  const results: ReassignmentResult[] = [];
  for (let start = 0; start < wanted.length; start += BATCH) {
    results.push(...await alterBatch(cluster, wanted.slice(start, start + BATCH), options));
  }
  return results;
}

async function alterBatch(
  cluster: Cluster,
  wanted: readonly WantedReplicas[],
  options: OperationOptions,
): Promise<ReassignmentResult[]> {
  const subject = "reassign partitions";
  const response = await onController(
    cluster,
    subject,
    alterPartitionReassignments,
    (timeoutMs) => ({
      timeoutMs,
      topics: [...groupBy(wanted, ({ topic }) => topic)].map(([name, partitions]) => ({
        name,
        partitions: partitions.map(({ partition, replicas }) => ({
          partitionIndex: partition,
          replicas: replicas === null ? null : [...replicas],
        })),
      })),
    }),
    options,
  );
  const answers = new Map(
    response.responses.flatMap(({ name, partitions }) =>
      partitions.map((each) => [`${name}:${each.partitionIndex}`, each] as const)
    ),
  );
  return wanted.map(({ topic, partition }) => {
    const answer = answers.get(`${topic}:${partition}`);
    const code = answer?.errorCode ?? Errors.UNKNOWN_SERVER_ERROR;
    const what = `reassign ${topic}:${partition}`;
    const error = code === Errors.NONE
      ? null
      : new KafkaError(code, what, answer?.errorMessage ?? null);
    return { topic, partition, error };
  });
}

/** All partitions that are moving. */
export async function listReassignments(
  cluster: Cluster,
  options: OperationOptions = {},
): Promise<Reassignment[]> {
  const subject = "list reassignments";
  const response = await onController(
    cluster,
    subject,
    listPartitionReassignments,
    (timeoutMs) => ({
      timeoutMs,
      topics: null,
    }),
    options,
  );
  return response.topics.flatMap(({ name, partitions }) =>
    partitions.map((each) => ({
      topic: name,
      partition: each.partitionIndex,
      replicas: each.replicas,
      adding: each.addingReplicas,
      removing: each.removingReplicas,
    }))
  );
}

/** Takes a broker out of the cluster. Throws if there is none with this id. */
export async function removeBroker(
  cluster: Cluster,
  nodeId: number,
  options: OperationOptions = {},
): Promise<void> {
  const subject = `unregister broker ${nodeId}`;
  await onController(cluster, subject, unregisterBroker, () => ({ brokerId: nodeId }), options);
}

/** Throws what the whole request is answered; asks again where the controller has moved. */
async function onController<A extends Api>(
  cluster: Cluster,
  subject: string,
  api: A,
  request: (timeoutMs: number) => EncodableRequest<A>,
  options: OperationOptions,
): Promise<ResponseOf<A>> {
  return await cluster.retry(subject, async ({ timeoutMs }) => {
    const connection = await cluster.controller(options.signal);
    const asked = request(Math.max(1, timeoutMs - GRACE_MS));
    const response = await connection.request(api, asked, { timeoutMs });
    if ("errorCode" in response && typeof response.errorCode === "number") {
      if (response.errorCode === Errors.NOT_CONTROLLER) {
        await cluster.refresh([], { signal: options.signal });
      }
      const detail = "errorMessage" in response ? response.errorMessage : null;
      throwOnError(response.errorCode, subject, typeof detail === "string" ? detail : null);
    }
    return response;
  }, options);
}
