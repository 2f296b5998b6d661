/** The differences that are meant: each stands in `docs/deviations.md`, and each is met. */
import { DEVIATING_DEFAULTS } from "../../../broker/config/deviations.ts";
import { describeAcls } from "../../../core/protocol/29-describe-acls.ts";
import { describeConfigs } from "../../../core/protocol/32-describe-configs.ts";
import { metadata } from "../../../core/protocol/03-metadata.ts";
import { type Difference, NOTHING } from "./comparison.ts";
import type { Answer } from "./player.ts";
import type { Plain } from "./normaliser.ts";

/** One difference that is meant. */
export interface Explained {
  readonly name: string;
  /** Words that `docs/deviations.md` has for it; null where it is how the brokers were started. */
  readonly deviation: string | null;
  matches(difference: Difference): boolean;
}

/** Kafka is asked to create what it lacks, and says for now that it is not there. */
function isCreatedByAsking({ step, theirStruct, ourStruct, path }: Difference): boolean {
  const created = theirStruct["errorCode"] === "UNKNOWN_TOPIC_OR_PARTITION" &&
    ourStruct["errorCode"] === "NONE";
  return step.api === metadata && path.startsWith("topics[].") && created;
}

/** Broker configs that differ because the two brokers were not started alike. */
const STARTED_WITH = new Set([
  "advertised.listeners",
  "broker.id",
  "controller.listener.names",
  "controller.quorum.voters",
  "inter.broker.listener.name",
  "listeners",
  "log.dirs",
  "node.id",
  "process.roles",
]);

/** Broker configs whose defaults are listed in `docs/deviations.md`. */
const OTHER_DEFAULTS: ReadonlySet<string> = new Set(Object.keys(DEVIATING_DEFAULTS));

/** Whether a broker has answered, with no word of success. */
function isRefusal({ outcome, response }: Answer): boolean {
  const codes = [...(JSON.stringify(response) ?? "").matchAll(/"errorCode":"(\w+)"/g)];
  return outcome === "answered" && codes.length > 0 && codes.every(([, code]) => code !== "NONE");
}

function inStruct(value: Plain, field: string, expected: Plain): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.entries(value).some(([name, its]) => name === field && its === expected);
}

export const EXPLAINED: readonly Explained[] = [
  {
    name: "Kafka fails inside",
    deviation: "Where Kafka fails inside",
    matches: ({ path, theirs, theirStruct, ourAnswer }) =>
      theirStruct["errorCode"] === "UNKNOWN_SERVER_ERROR" ||
      path === "(outcome)" && theirs === "closed" && isRefusal(ourAnswer),
  },
  {
    name: "filters of ACLs with unknown elements",
    deviation: "an ACL of an unknown kind",
    matches: ({ path, theirs, step }) =>
      path === "(outcome)" && theirs === "closed" && step.api === describeAcls,
  },
  {
    name: "configs of our own",
    deviation: "`kstream.durability` (topic, and broker",
    matches: ({ theirs, ours }) =>
      theirs === NOTHING && /"name":"kstream\./.test(JSON.stringify(ours)),
  },
  {
    name: "a topic that is created by asking for it is answered at once",
    deviation: "created by asking for it is answered when it can be written",
    matches: isCreatedByAsking,
  },
  {
    name: "settings at the start",
    deviation: null,
    matches: ({ step, theirStruct }) =>
      step.api === describeConfigs && STARTED_WITH.has(String(theirStruct["name"])),
  },
  {
    name: "no configs of TLS and SASL without security",
    deviation: "for `ssl.*` and `sasl.*` until there is security",
    matches: ({ theirs, ours }) =>
      ours === NOTHING && /"name":"s(sl|asl)\./.test(JSON.stringify(theirs)),
  },
  {
    name: "the authorizer's configs are the broker's",
    deviation: "`super.users` and `allow.everyone.if.no.acl.found` are configs of the broker",
    matches: ({ ours, theirStruct }) =>
      theirStruct["name"] === "super.users" ||
      inStruct(ours, "name", "allow.everyone.if.no.acl.found"),
  },
  {
    name: "internal configs of Kafka",
    deviation: "Kafka's internal configs",
    matches: ({ theirs, ours }) =>
      ours === NOTHING && inStruct(theirs, "name", "unstable.api.versions.enable"),
  },
  {
    name: "other defaults",
    deviation: "Every broker and topic config of Kafka 4.4 is known",
    matches: ({ step, theirStruct }) =>
      step.api === describeConfigs && OTHER_DEFAULTS.has(String(theirStruct["name"])),
  },
];
