/**
 * Requests that are malformed or come out of order, by API, each with Apache Kafka's own error
 * code. They are played in this order after `SET_UP`; `tests/integration/bad-input.test.ts` holds
 * our broker to the codes, and the compatibility suite holds the codes to Kafka.
 */
import { produce } from "../../../../core/protocol/00-produce.ts";
import { findCoordinator } from "../../../../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../../../../core/protocol/11-join-group.ts";
import { syncGroup } from "../../../../core/protocol/14-sync-group.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { initProducerId } from "../../../../core/protocol/22-init-producer-id.ts";
import { consumerGroupHeartbeat } from "../../../../core/protocol/68-consumer-group-heartbeat.ts";
import { type Facts, type Step, step } from "../step.ts";
import { type BadInput, beating, config, joining, sending, syncing } from "./case.ts";
import type { Player } from "../player.ts";
import { GROUPS } from "./groups.ts";
import { RECORDS } from "./records.ts";
import { CONFIGS, TOPICS } from "./topics-and-configs.ts";
import { CLUSTER, TRANSACTIONS } from "./transactions-and-cluster.ts";

const join = (memberId: (facts: Facts) => string): Step =>
  step(joinGroup, (facts) => joining(facts, { memberId: memberId(facts) }), {
    version: joinGroup.maxVersion,
    learn: ({ memberId, generationId }, facts) => {
      facts.setText("member", memberId);
      facts.setNumber("generation", generationId);
    },
  });

/** Topics, a group with one member, and a transactional producer. */
const SET_UP: readonly Step[] = [
  step(createTopics, (facts) => ({
    topics: [
      { name: facts.name("t"), numPartitions: 2, replicationFactor: 1 },
      {
        name: facts.name("c"),
        numPartitions: 1,
        replicationFactor: 1,
        ...config("cleanup.policy", "compact"),
      },
    ],
    timeoutMs: 10_000,
  }), { version: createTopics.maxVersion, changesMetadata: true }),
  step(findCoordinator, (facts) => ({ coordinatorKeys: [facts.name("g")] }), {
    version: findCoordinator.maxVersion,
  }),
  join(() => ""),
  join((facts) => facts.text("member", "")),
  step(syncGroup, (facts) => ({
    ...syncing(facts),
    assignments: [{ memberId: facts.text("member", ""), assignment: Uint8Array.of(1) }],
  }), { version: syncGroup.maxVersion }),
  step(findCoordinator, (facts) => ({ keyType: 1, coordinatorKeys: [facts.name("x")] }), {
    version: findCoordinator.maxVersion,
  }),
  step(
    initProducerId,
    (facts) => ({ transactionalId: facts.name("x"), transactionTimeoutMs: 60_000 }),
    {
      version: initProducerId.maxVersion,
      learn: ({ producerId, producerEpoch }, facts) => {
        facts.setNumber("producer", Number(producerId));
        facts.setNumber("epoch", producerEpoch);
      },
    },
  ),
  step(initProducerId, () => ({ transactionalId: null, transactionTimeoutMs: 60_000 }), {
    version: initProducerId.maxVersion,
    learn: ({ producerId }, facts) => facts.setNumber("idempotent", Number(producerId)),
  }),
  step(
    produce,
    (facts) =>
      sending(facts, {
        producerId: facts.number("idempotent", 0),
        producerEpoch: 1,
        baseSequence: 0,
      }),
    { version: produce.maxVersion },
  ),
  step(consumerGroupHeartbeat, (facts) => beating(facts), {
    version: consumerGroupHeartbeat.maxVersion,
  }),
];

/** All of them, by API. */
export const BAD_INPUT: readonly BadInput[] = [
  ...RECORDS,
  ...TOPICS,
  ...CONFIGS,
  ...GROUPS,
  ...TRANSACTIONS,
  ...CLUSTER,
];

/** Time for a broker to learn what it has been asked to create. */
const SETTLE_MS = 100;

/** Plays all to one broker; a line for each that it does not answer with Kafka's code. */
export async function wrongAnswers(player: Player, prefix: string): Promise<string[]> {
  const steps = [...SET_UP, ...BAD_INPUT.map((each) => each.step)];
  const answers = await player.play(steps, [], prefix, SETTLE_MS);
  return BAD_INPUT.flatMap(({ step, what, code }, index) => {
    const { outcome, response } = answers[SET_UP.length + index] ?? { outcome: "lost" };
    const found = JSON.stringify(response) ?? "";
    return outcome === "answered" && found.includes(`"${code}"`)
      ? []
      : [`${step.api.name}, ${what}: not ${code}, but ${outcome} ${found.slice(0, 300)}`];
  });
}
