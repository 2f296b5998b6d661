/**
 * DeleteTopics, versions 1 to 6, by name or (6) by id. In this order:
 * 1. `delete.topic.enable` is on (TOPIC_DELETION_DISABLED, below version 3 INVALID_REQUEST);
 * 2. the sender may delete the topic (TOPIC_AUTHORIZATION_FAILED); the name behind an id is told
 *    only to those who may describe it (UNKNOWN_TOPIC_ID else);
 * 3. `planDeleteTopics`: names and ids appear once and exist.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { deleteTopics } from "../../core/protocol/20-delete-topics.ts";
import { type EncodableResponse, type RequestOf, ZERO_UUID } from "../../core/protocol/schema.ts";
import type { MetadataImage, TopicImage } from "../../cluster/metadata-image.ts";
import type { Broker } from "../broker.ts";
import { firstOfEach } from "../first-of-each.ts";
import type { Handler } from "../handler.ts";
import type { Outcome } from "../outcome.ts";
import { resolveTopic, type TopicReference } from "../plan-topics.ts";
import type { RequestContext } from "../request-context.ts";

type TopicAnswer = NonNullable<EncodableResponse<typeof deleteTopics>["responses"]>[number];

/** From this version on the error has a code of its own. */
const DELETION_DISABLED_VERSION = 3;
/** From this version on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const STRICT_QUOTA_VERSION = 5;
/** From this version on topics are structs with a name or an id. */
const TOPIC_IDS_VERSION = 6;

export const deleteTopicsHandler: Handler<typeof deleteTopics> = {
  api: deleteTopics,
  forwards: "change",
  authorize: { kind: "items", operations: ["DELETE TOPIC", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const wanted = referencesOf(context.apiVersion, request);
    const { image } = broker.metadata;
    if (!broker.config.get("delete.topic.enable")) {
      const code = context.apiVersion < DELETION_DISABLED_VERSION
        ? Errors.INVALID_REQUEST
        : Errors.TOPIC_DELETION_DISABLED;
      return {
        responses: wanted.map((topic) => refused(topic, code, "Topic deletion is disabled.")),
      };
    }
    const refusals = wanted.map((topic) => denied(context, broker, topic));
    const allowed = wanted.filter((_, index) => refusals[index] === null);
    const { timeoutMs } = request;
    const quota = broker.quotas.mutations(context, context.apiVersion >= STRICT_QUOTA_VERSION);
    const { charge } = quota;
    const outcomes = await broker.controller.deleteTopics(allowed, { timeoutMs, charge });
    const answers = new Map(allowed.map((topic, index) => [topic, outcomes[index]]));
    const responses = wanted.map((topic, index) => {
      const both = withBoth(image, topic, allowed);
      const key = both === null ? soleReference(topic) : `topic ${both.topicId}`;
      return { key, answer: refusals[index] ?? answer(both ?? topic, answers.get(topic)) };
    });
    const once = firstOfEach(responses, ({ key }) => key);
    return { throttleTimeMs: quota.throttleMs(), responses: once.map(({ answer }) => answer) };
  },
  failure: (request, code) => ({
    responses: [
      ...request.topics.map((topic) => refused(topic, code, null)),
      ...request.topicNames.map((name) => refused({ name, topicId: ZERO_UUID }, code, null)),
    ],
  }),
};

function referencesOf(
  apiVersion: number,
  request: RequestOf<typeof deleteTopics>,
): TopicReference[] {
  return apiVersion >= TOPIC_IDS_VERSION
    ? [...request.topics]
    : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
}

/** Name and id of a topic that is given once by either: then Kafka answers once, with both. */
function withBoth(
  image: MetadataImage,
  wanted: TopicReference,
  all: readonly TopicReference[],
): TopicReference | null {
  const found = resolveTopic(image, wanted);
  if (!found.ok || !all.includes(wanted)) return null;
  const { name, id: topicId } = found.value;
  const given = (key: string) => all.filter((each) => soleReference(each) === key).length;
  return given(`name ${name}`) === 1 && given(`id ${topicId}`) === 1 ? { name, topicId } : null;
}

/** The name or id of a topic; null for a reference with both or neither. */
function soleReference({ name, topicId }: TopicReference): string | null {
  if (name === null) return topicId === ZERO_UUID ? null : `id ${topicId}`;
  return topicId === ZERO_UUID ? `name ${name}` : null;
}

/** The answer to who may not delete this topic, or null. */
function denied(
  context: RequestContext,
  broker: Broker,
  wanted: TopicReference,
): TopicAnswer | null {
  const found = resolveTopic(broker.metadata.image, wanted);
  const name = wanted.name ?? (found.ok ? found.value.name : null);
  if (name === null) return null;
  // Whether a topic is there is told only to who may describe it. Ids are no secret.
  const mayKnow = context.authorized("DESCRIBE", "TOPIC", name);
  const mayDelete = mayKnow && (!found.ok || context.authorized("DELETE", "TOPIC", name));
  return mayDelete ? null : refused(
    { ...wanted, name: mayKnow ? name : wanted.name },
    Errors.TOPIC_AUTHORIZATION_FAILED,
    "Not authorized to delete this topic.",
  );
}

function answer(wanted: TopicReference, outcome: Outcome<TopicImage> | undefined): TopicAnswer {
  if (outcome === undefined) return refused(wanted, Errors.UNKNOWN_SERVER_ERROR, null);
  if (!outcome.ok) return refused(wanted, outcome.error, outcome.message);
  return {
    name: outcome.value.name,
    topicId: outcome.value.id,
    errorCode: Errors.NONE,
    errorMessage: null,
  };
}

function refused(
  wanted: TopicReference,
  errorCode: ErrorCode,
  errorMessage: string | null,
): TopicAnswer {
  return { name: wanted.name, topicId: wanted.topicId, errorCode, errorMessage };
}
