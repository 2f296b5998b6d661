/** Why an application ends, as the one line that its operator gets. */
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import {
  internalName,
  outerSinkTopics,
  outerSourceTopics,
} from "../../stream/runtime/topic-plan.ts";
import { type Topology, TopologyError } from "../../stream/topology/topology.ts";
import { toOperatorError } from "../client.ts";

/** What a refusal is about: a name, or a partition of a topic. */
const SUBJECT = /"([^"]+)"|\b(?:to|partition) (\S+)-\d+$/;

/** Null for bugs. */
export function appError(
  error: unknown,
  topology: Topology,
  applicationId: string,
): OperatorError | null {
  if (error instanceof TopologyError) return new OperatorError(error.message, "", "");
  return missingRights(error, topology, applicationId) ?? toOperatorError(error);
}

/** What brokers do not let it do, with the rule that would let it; null: it is about something else. */
function missingRights(
  error: unknown,
  topology: Topology,
  applicationId: string,
): OperatorError | null {
  if (!(error instanceof KafkaError)) return null;
  const [, quoted, partitioned] = SUBJECT.exec(error.subject) ?? [];
  const name = quoted ?? partitioned ?? "";
  const rule = ruleOf(error.code, name, topology, applicationId);
  if (rule === null) return null;
  const hint = `allow it with: kstream acl add --allow User:NAME ${rule}`;
  return new OperatorError("refused", error.message, hint);
}

function ruleOf(
  code: number,
  name: string,
  topology: Topology,
  applicationId: string,
): string | null {
  const own = internalName(applicationId, "");
  switch (code) {
    case Errors.TOPIC_AUTHORIZATION_FAILED:
      if (name.startsWith(own)) return `-o all --topic ${own} --prefix`;
      return `-o ${operationsOn(name, topology, applicationId)} --topic ${name}`;
    case Errors.GROUP_AUTHORIZATION_FAILED:
      return `-o read,describe --group ${applicationId}`;
    case Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return `-o write,describe --transactional-id ${own} --prefix`;
    case Errors.CLUSTER_AUTHORIZATION_FAILED:
      return "-o idempotent-write --cluster";
    default:
      return null;
  }
}

function operationsOn(topic: string, topology: Topology, applicationId: string): string {
  const isRead = outerSourceTopics(topology).includes(topic) ||
    topology.matches(topic, (name) => internalName(applicationId, name));
  const isWritten = outerSinkTopics(topology).includes(topic) || !isRead;
  return [...(isRead ? ["read"] : []), ...(isWritten ? ["write"] : [])].join(",");
}
