/**
 * CreateTopics, versions 2 to 7: answers when the partitions can be written, or REQUEST_TIMED_OUT.
 * The sender may create the topic or topics in the cluster (TOPIC_AUTHORIZATION_FAILED); all else
 * is judged by `planCreateTopics`. Validate-only changes nothing and answers the same.
 *
 * - 5: what was created: partitions, replication, configs in force (KIP-525), for those who may
 *   describe configs.
 */
import { Errors } from "../../core/errors.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { inTurns, nextTurn, type Steps } from "../../core/steps.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import type { TopicImage } from "../../cluster/metadata-image.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { ConfigSources, sourceOf } from "../config/describe.ts";
import { isTopicConfig, TOPIC_CONFIGS } from "../config/topic-configs.ts";
import { firstOfEach } from "../first-of-each.ts";
import type { Handler } from "../handler.ts";
import type { Outcome } from "../outcome.ts";
import type { RequestContext } from "../request-context.ts";

type TopicAnswer = NonNullable<EncodableResponse<typeof createTopics>["topics"]>[number];

/** From this version on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const STRICT_QUOTA_VERSION = 6;
/** Most topics whose configs are listed in one response; the first ones get them. */
const LISTED_CONFIGS_MAX = 1000;

/** An answer of more topics than this is encoded in a turn of its own. */
const LONG_ANSWER = 20;

export const createTopicsHandler: Handler<typeof createTopics> = {
  api: createTopics,
  forwards: "change",
  authorize: {
    kind: "items",
    operations: ["CREATE CLUSTER", "CREATE TOPIC", "DESCRIBE_CONFIGS TOPIC"],
  },
  async handle(context, request, broker) {
    const createsAny = context.authorized("CREATE", "CLUSTER", CLUSTER_NAME);
    const isAllowed = (name: string) => createsAny || context.authorized("CREATE", "TOPIC", name);
    const allowed = request.topics.filter(({ name }) => isAllowed(name));
    const quota = broker.quotas.mutations(context, context.apiVersion >= STRICT_QUOTA_VERSION);
    const outcomes = await broker.controller.createTopics(allowed, {
      charge: quota.charge,
      validateOnly: request.validateOnly,
      timeoutMs: request.timeoutMs,
    });
    const answers = new Map(allowed.map((topic, index) => [topic, outcomes[index]]));
    function* answerAll(): Steps<TopicAnswer[]> {
      const topics: TopicAnswer[] = [];
      const configsOf = configLists(broker);
      for (const [index, topic] of request.topics.entries()) {
        const outcome = answers.get(topic);
        const list = index < LISTED_CONFIGS_MAX ? configsOf : () => null;
        topics.push(
          outcome === undefined ? denied(topic.name) : answer(context, topic.name, outcome, list),
        );
        yield;
      }
      return topics;
    }
    const topics = await inTurns(broker.io.clock, answerAll());
    // To encode thousands of configs takes a good part of a turn itself.
    if (topics.length > LONG_ANSWER) await nextTurn(broker.io.clock);
    return {
      throttleTimeMs: quota.throttleMs(),
      topics: firstOfEach(topics, ({ name }) => name ?? null),
    };
  },
  failure: (request, code) => ({
    topics: request.topics.map(({ name }) => ({ name, errorCode: code, errorMessage: null })),
  }),
};

function denied(name: string): TopicAnswer {
  return {
    name,
    errorCode: Errors.TOPIC_AUTHORIZATION_FAILED,
    errorMessage: "Authorization failed.",
  };
}

type ConfigList = NonNullable<TopicAnswer["configs"]>;

function answer(
  context: RequestContext,
  name: string,
  outcome: Outcome<TopicImage>,
  configsOf: (topic: TopicImage) => ConfigList | null,
): TopicAnswer {
  if (!outcome.ok) return { name, errorCode: outcome.error, errorMessage: outcome.message };
  const topic = outcome.value;
  const created = { name, topicId: topic.id, errorCode: Errors.NONE, errorMessage: null };
  if (!context.authorized("DESCRIBE_CONFIGS", "TOPIC", name)) {
    return { ...created, topicConfigErrorCode: Errors.TOPIC_AUTHORIZATION_FAILED };
  }
  return {
    ...created,
    numPartitions: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicas.length ?? -1,
    configs: configsOf(topic),
  };
}

/** The configs of topics, worked out once for all that have none of their own. */
function configLists(broker: Broker): (topic: TopicImage) => ConfigList {
  let byDefault: ConfigList | null = null;
  return (topic) => {
    if (topic.configs.size > 0) return listConfigs(broker, topic);
    return byDefault ??= listConfigs(broker, topic);
  };
}

function listConfigs(broker: Broker, topic: TopicImage): ConfigList {
  const config = broker.metadata.topicConfig(topic);
  return Object.keys(TOPIC_CONFIGS).filter(isTopicConfig).map((name) => ({
    name,
    value: config.text(name),
    readOnly: false,
    configSource: ConfigSources[sourceOf(config.synonyms(name))],
    isSensitive: false,
  }));
}
