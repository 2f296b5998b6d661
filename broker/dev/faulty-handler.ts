/**
 * A handler whose requests meet with faults (`FaultRules`).
 *
 * An error is placed as Kafka places it: for the topics and partitions that the rule means, else for
 * the whole request; what it strikes is not executed, and the rest of the request is. Fetches are
 * the exception: their partitions are in the session rather than in the request, so they are
 * executed, and the error takes the place of what was found.
 */
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import type { Api, EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import { ConnectionError } from "../connection-error.ts";
import { failureResponse } from "../failure-response.ts";
import type { AnyHandler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import type { FaultRule, FaultRules, Strike } from "./faults.ts";
import {
  isPartitionMeant,
  isTopicMeant,
  mergeResponses,
  splitRequest,
  type TopicName,
} from "./request-topics.ts";

type Request = RequestOf<Api>;
type Response = EncodableResponse<Api> | null;

/** Errors of a fetch session, which stand for the whole answer. */
const SESSION_ERRORS: readonly number[] = [
  Errors.FETCH_SESSION_ID_NOT_FOUND,
  Errors.INVALID_FETCH_SESSION_EPOCH,
  Errors.FETCH_SESSION_TOPIC_ID_ERROR,
];

/** See the head of this file. */
export function withFaults(handler: AnyHandler, faults: FaultRules): AnyHandler {
  return {
    ...handler,
    handle: (context, request, broker) =>
      handler.api.key === fetch.key
        ? faultyFetch(handler, faults, context, request, broker)
        : faulty(handler, faults, context, request, broker),
  };
}

function faulty(
  handler: AnyHandler,
  faults: FaultRules,
  context: RequestContext,
  request: Request,
  broker: Broker,
): Response | Promise<Response> {
  const nameOf: TopicName = (id) => broker.metadata.topicById(id)?.name;
  const { api } = handler;
  const split = (rule: FaultRule) => splitRequest(api, request, rule, nameOf);
  const strike = faults.strike(api.key, context.clientId, (rule) => split(rule).struck !== null);
  if (strike === null) return handler.handle(context, request, broker);
  const { rule } = strike;
  if (rule?.drop === "before") return finish(strike, context, broker, null, rule);
  // Executed at once: what a producer has in flight has to stay in order.
  if (rule?.error === undefined) {
    return finish(strike, context, broker, handler.handle(context, request, broker), rule);
  }
  const { struck, rest } = split(rule);
  const failed = failureResponse(handler, struck ?? request, rule.error);
  const executed = rest === null ? null : handler.handle(context, rest, broker);
  // Where there is no answer, the end of the connection is the only way to tell.
  const isUnanswered = failed === null || (api.key === produce.key && request["acks"] === 0);
  const merged = Promise.resolve(executed).then((response) =>
    response === null || failed === null ? failed : mergeResponses(api, response, failed)
  );
  return finish(strike, context, broker, merged, isUnanswered ? rule : null);
}

async function faultyFetch(
  handler: AnyHandler,
  faults: FaultRules,
  context: RequestContext,
  request: Request,
  broker: Broker,
): Promise<Response> {
  const nameOf: TopicName = (id) => broker.metadata.topicById(id)?.name;
  const response = await handler.handle(context, request, broker);
  if (response === null || !("responses" in response) || !Array.isArray(response.responses)) {
    return response;
  }
  const topics = response.responses;
  const { clientId } = context;
  const strike = faults.strike(fetch.key, clientId, (rule) => {
    const isNarrow = rule.topic !== undefined || rule.partition !== undefined;
    const needsPlace = rule.error !== undefined && !SESSION_ERRORS.includes(rule.error);
    return isNarrow || needsPlace
      ? topics.some((topic) => struckFetch(topic, rule, nameOf) !== topic)
      : true;
  });
  if (strike === null) return response;
  const { rule } = strike;
  if (rule?.error === undefined) return await finish(strike, context, broker, response, rule);
  const answer = SESSION_ERRORS.includes(rule.error)
    ? { errorCode: rule.error, responses: [] }
    : { ...response, responses: topics.map((topic) => struckFetch(topic, rule, nameOf)) };
  return await finish(strike, context, broker, answer, null);
}

interface FetchedTopic {
  readonly partitions: readonly { readonly partitionIndex: number }[];
  readonly [name: string]: unknown;
}

/** A topic of a fetch's answer with the error in the place of what was found; the same if none is. */
function struckFetch(topic: FetchedTopic, rule: FaultRule, nameOf: TopicName): FetchedTopic {
  if (!isTopicMeant(topic, rule, nameOf)) return topic;
  if (!topic.partitions.some((each) => isPartitionMeant(each, rule))) return topic;
  return {
    ...topic,
    partitions: topic.partitions.map((each) =>
      isPartitionMeant(each, rule)
        ? {
          partitionIndex: each.partitionIndex,
          errorCode: rule.error,
          highWatermark: -1n,
          records: new Uint8Array(0),
        }
        : each
    ),
  };
}

/** The answer after the delay of the strike; or the end of the connection, where a rule drops it. */
async function finish(
  { latencyMs }: Strike,
  { signal }: RequestContext,
  broker: Broker,
  answer: Response | Promise<Response>,
  dropped: FaultRule | null,
): Promise<Response> {
  const response = await answer;
  if (latencyMs > 0) await sleep(broker.io.clock, latencyMs, signal);
  if (dropped === null) return response;
  throw new ConnectionError(`fault ${dropped.id} drops the connection`);
}
