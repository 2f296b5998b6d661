/** Bad requests of transactions, and about security data and features. */
import { initProducerId } from "../../../../core/protocol/22-init-producer-id.ts";
import { addPartitionsToTxn } from "../../../../core/protocol/24-add-partitions-to-txn.ts";
import { addOffsetsToTxn } from "../../../../core/protocol/25-add-offsets-to-txn.ts";
import { endTxn } from "../../../../core/protocol/26-end-txn.ts";
import { txnOffsetCommit } from "../../../../core/protocol/28-txn-offset-commit.ts";
import { createAcls } from "../../../../core/protocol/30-create-acls.ts";
import { alterClientQuotas } from "../../../../core/protocol/49-alter-client-quotas.ts";
import { alterUserScramCredentials } from "../../../../core/protocol/51-alter-user-scram-credentials.ts";
import { updateFeatures } from "../../../../core/protocol/57-update-features.ts";
import { describeTransactions } from "../../../../core/protocol/65-describe-transactions.ts";
import { listTransactions } from "../../../../core/protocol/66-list-transactions.ts";
import { bad, type BadInput, transaction } from "./case.ts";

export const TRANSACTIONS: readonly BadInput[] = [
  bad(
    initProducerId,
    "empty id",
    "INVALID_REQUEST",
    () => ({ transactionalId: "", transactionTimeoutMs: 1_000 }),
  ),
  bad(initProducerId, "timeout 0", "INVALID_TRANSACTION_TIMEOUT", (f) => ({
    transactionalId: f.name("x"),
    transactionTimeoutMs: 0,
  })),
  bad(initProducerId, "timeout above the bound", "INVALID_TRANSACTION_TIMEOUT", (f) => ({
    transactionalId: f.name("x"),
    transactionTimeoutMs: 99_999_999,
  })),
  bad(initProducerId, "another producer's id", "PRODUCER_FENCED", (f) => ({
    transactionalId: f.name("x"),
    transactionTimeoutMs: 60_000,
    producerId: 98_765n,
    producerEpoch: 0,
  })),
  bad(addPartitionsToTxn, "unknown id", "INVALID_PRODUCER_ID_MAPPING", (f) => ({
    v3AndBelowTransactionalId: f.name("unknown"),
    v3AndBelowProducerId: 1n,
    v3AndBelowTopics: [{ name: f.name("t"), partitions: [0] }],
  }), 3),
  bad(addPartitionsToTxn, "unknown partition", "UNKNOWN_TOPIC_OR_PARTITION", (f) => ({
    v3AndBelowTransactionalId: f.name("x"),
    v3AndBelowProducerId: transaction(f).producerId,
    v3AndBelowProducerEpoch: transaction(f).producerEpoch,
    v3AndBelowTopics: [{ name: f.name("t"), partitions: [0, 7] }],
  }), 3),
  bad(addPartitionsToTxn, "stale epoch", "PRODUCER_FENCED", (f) => ({
    v3AndBelowTransactionalId: f.name("x"),
    v3AndBelowProducerId: transaction(f).producerId,
    v3AndBelowProducerEpoch: 99,
    v3AndBelowTopics: [{ name: f.name("t"), partitions: [0] }],
  }), 3),
  bad(addOffsetsToTxn, "unknown id", "INVALID_PRODUCER_ID_MAPPING", (f) => ({
    ...transaction(f),
    transactionalId: f.name("unknown"),
    groupId: f.name("g"),
  })),
  bad(
    endTxn,
    "nothing to end",
    "INVALID_TXN_STATE",
    (f) => ({ ...transaction(f), committed: true }),
    4,
  ),
  bad(endTxn, "wrong epoch", "PRODUCER_FENCED", (f) => ({
    ...transaction(f),
    producerEpoch: 99,
    committed: true,
  })),
  bad(endTxn, "another producer", "INVALID_PRODUCER_ID_MAPPING", (f) => ({
    ...transaction(f),
    producerId: 98_765n,
    committed: true,
  })),
  bad(txnOffsetCommit, "unknown member", "TRANSACTION_ABORTABLE", (f) => ({
    ...transaction(f),
    groupId: f.name("g"),
    memberId: "nobody",
    generationIdOrMemberEpoch: 5,
    topics: [{
      name: f.name("t"),
      topicId: f.topicId("t"),
      partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: "" }],
    }],
  }), 4),
  bad(
    describeTransactions,
    "unknown id",
    "TRANSACTIONAL_ID_NOT_FOUND",
    (f) => ({ transactionalIds: [f.name("unknown")] }),
  ),
  bad(
    listTransactions,
    "bad expression",
    "INVALID_REGULAR_EXPRESSION",
    () => ({ transactionalIdPattern: "(" }),
  ),
];

export const CLUSTER: readonly BadInput[] = [
  bad(createAcls, "bad principal", "INVALID_REQUEST", () => ({
    creations: [{
      resourceType: 2,
      resourceName: "t",
      principal: "nobody",
      host: "*",
      operation: 3,
      permissionType: 3,
    }],
  })),
  bad(alterUserScramCredentials, "too few iterations", "UNACCEPTABLE_CREDENTIAL", () => ({
    upsertions: [{
      name: "a",
      mechanism: 1,
      iterations: 1,
      salt: Uint8Array.of(1),
      saltedPassword: Uint8Array.of(1),
    }],
  })),
  bad(alterUserScramCredentials, "unknown mechanism", "UNSUPPORTED_SASL_MECHANISM", () => ({
    deletions: [{ name: "a", mechanism: 9 }],
  })),
  bad(alterUserScramCredentials, "nothing to delete", "RESOURCE_NOT_FOUND", () => ({
    deletions: [{ name: "nobody", mechanism: 1 }],
  })),
  bad(alterClientQuotas, "unknown quota", "INVALID_REQUEST", () => ({
    entries: [{
      entity: [{ entityType: "user", entityName: "a" }],
      ops: [{ key: "no_such", value: 1 }],
    }],
  })),
  bad(updateFeatures, "unknown feature", "INVALID_UPDATE_VERSION", () => ({
    featureUpdates: [{ feature: "no.such", maxVersionLevel: 1, upgradeType: 1 }],
    timeoutMs: 1_000,
  })),
];
