/**
 * FindCoordinator, versions 0 to 6: which broker coordinates a group, a transactional id or a share
 * partition (key types 0, 1 and 2).
 *
 * - Needs DESCRIBE on the group or the transactional id.
 * - The internal topic is created if it is missing and the answer waits for it, so that the first
 *   consumer or producer of a cluster hears of no error.
 * - Any broker answers for all: COORDINATOR_NOT_AVAILABLE while nobody leads the partition of the key,
 *   or its leader has no listener of this name.
 * - 4: several keys (KIP-699). 6: share partitions (KIP-932), for brokers: CLUSTER_ACTION on the
 *   cluster (CLUSTER_AUTHORIZATION_FAILED).
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { parseShareKey } from "../coordinator/share/share-records.ts";
import type { Outcome } from "../coordinator/shard.ts";
import type { Handler } from "../handler.ts";
import { findNode } from "../nodes.ts";
import type { RequestContext } from "../request-context.ts";

type Request = RequestOf<typeof findCoordinator>;
type Response = EncodableResponse<typeof findCoordinator>;

/** First version with several keys. */
const KEYS_VERSION = 4;
const KeyTypes = { GROUP: 0, TRANSACTION: 1, SHARE: 2 } as const;

interface Found {
  readonly key: string;
  readonly errorCode: ErrorCode;
  readonly errorMessage: string | null;
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export const findCoordinatorHandler: Handler<typeof findCoordinator> = {
  api: findCoordinator,
  authorize: {
    kind: "items",
    operations: ["DESCRIBE GROUP", "DESCRIBE TRANSACTIONAL_ID", "CLUSTER_ACTION CLUSTER"],
  },
  async handle(context, request, broker) {
    if (context.apiVersion < KEYS_VERSION) {
      const { key: _key, ...found } = await find(context, request, request.key, broker);
      return found;
    }
    const keys = request.coordinatorKeys;
    return {
      coordinators: await Promise.all(keys.map((key) => find(context, request, key, broker))),
    };
  },
  failure: (request, error): Response => ({
    errorCode: error,
    coordinators: request.coordinatorKeys.map((key) => refuse(key, error)),
  }),
};

async function find(
  context: RequestContext,
  request: Request,
  key: string,
  broker: Broker,
): Promise<Found> {
  switch (request.keyType) {
    case KeyTypes.GROUP:
      break;
    case KeyTypes.TRANSACTION:
      return context.authorized("DESCRIBE", "TRANSACTIONAL_ID", key)
        ? answer(context, key, await broker.transactions.find(key), broker)
        : refuse(key, Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    case KeyTypes.SHARE:
      return await findShare(context, key, broker);
    default:
      return refuse(key, Errors.INVALID_REQUEST, `Unknown key type ${request.keyType}.`);
  }
  if (!context.authorized("DESCRIBE", "GROUP", key)) {
    return refuse(key, Errors.GROUP_AUTHORIZATION_FAILED);
  }
  return answer(context, key, await broker.groups.find(key), broker);
}

/** The broker that coordinates the key, where clients of this listener reach it. */
function answer(
  context: RequestContext,
  key: string,
  found: Outcome<number>,
  broker: Broker,
): Found {
  if (!found.ok) return refuse(key, found.error);
  const node = findNode(context, broker, found.value);
  if (node === null || node.isFenced) return refuse(key, Errors.COORDINATOR_NOT_AVAILABLE);
  const { nodeId, host, port } = node;
  return { key, errorCode: Errors.NONE, errorMessage: null, nodeId, host, port };
}

/** Share partitions are asked for by brokers, as `group:topicId:partition` (`SharePartitionKey`). */
async function findShare(context: RequestContext, key: string, broker: Broker): Promise<Found> {
  if (!context.authorized("CLUSTER_ACTION", "CLUSTER", CLUSTER_NAME)) {
    return refuse(key, Errors.CLUSTER_AUTHORIZATION_FAILED);
  }
  const parsed = parseShareKey(key);
  if (parsed === null) return refuse(key, Errors.INVALID_REQUEST);
  return answer(context, key, await broker.shareStates.find(parsed), broker);
}

function refuse(key: string, errorCode: ErrorCode, message?: string): Found {
  return {
    key,
    errorCode,
    errorMessage: message ?? errorName(errorCode),
    nodeId: -1,
    host: "",
    port: -1,
  };
}
