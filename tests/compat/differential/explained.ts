/** The differences that are meant: each stands in `docs/deviations.md`, and each is met. */
import { DEVIATING_DEFAULTS } from "../../../broker/config/deviations.ts";
import { produce } from "../../../core/protocol/00-produce.ts";
import { describeAcls } from "../../../core/protocol/29-describe-acls.ts";
import { describeConfigs } from "../../../core/protocol/32-describe-configs.ts";
import { metadata } from "../../../core/protocol/03-metadata.ts";
import { joinGroup } from "../../../core/protocol/11-join-group.ts";
import { describeGroups } from "../../../core/protocol/15-describe-groups.ts";
import { syncGroup } from "../../../core/protocol/14-sync-group.ts";
import { listGroups } from "../../../core/protocol/16-list-groups.ts";
import { type Difference, NOTHING } from "./comparison.ts";
import type { Answer } from "./player.ts";
import type { Plain } from "./normaliser.ts";

/** One difference that is meant. */
export interface Explained {
  readonly name: string;
  /**
   * Words that `docs/deviations.md` has for it; null where it is how the brokers were started, or
   * chance in Kafka.
   */
  readonly deviation: string | null;
  /** What differs after it in the episode follows from it. */
  readonly endsComparison?: boolean;
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

/** Kafka keeps a group for a member id that it gave out, though nobody joins with it. */
function isEmptyGroupLeft({ step, theirs, ours, theirStruct, ourStruct }: Difference): boolean {
  if (step.api === listGroups) return ours === NOTHING && inStruct(theirs, "groupState", "Empty");
  const isGone = ourStruct["errorCode"] === "GROUP_ID_NOT_FOUND" || ours === "Dead";
  return isGone && theirStruct["errorCode"] === "NONE";
}

/** Where a leader goes and leaves two members or more, Kafka's hash maps decide who leads next. */
function isLeaderByChance({ step, path, theirStruct, ourStruct }: Difference): boolean {
  const members = [theirStruct["members"], ourStruct["members"]];
  const count = Math.max(...members.map((each) => Array.isArray(each) ? each.length : 0));
  return step.api === joinGroup && path === "leader" && count !== 1;
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
    name: "no configs of SASL without it, and of TLS those that there are",
    deviation: "`sasl.*` until there is SASL for clients",
    matches: ({ theirs, ours }) =>
      ours === NOTHING && /"name":"s(sl|asl)\./.test(JSON.stringify(theirs)),
  },
  {
    name: "TLS changes by its files",
    deviation: "`ssl.*` cannot be changed by IncrementalAlterConfigs",
    matches: ({ step, path, theirStruct }) =>
      step.api === describeConfigs && path.endsWith(".readOnly") &&
      String(theirStruct["name"]).startsWith("ssl."),
  },
  {
    name: "the authorizer's configs are the broker's",
    deviation: "`super.users` and `allow.everyone.if.no.acl.found` are configs of the broker",
    matches: ({ ours, theirStruct }) =>
      theirStruct["name"] === "super.users" ||
      inStruct(ours, "name", "allow.everyone.if.no.acl.found"),
  },
  {
    name: "no empty group for a member id that nobody used",
    deviation: "a member id that was given out and not used leaves no empty group behind",
    matches: isEmptyGroupLeft,
  },
  {
    name: "a group that began with a commit that was refused",
    deviation: "a group that began with a commit of which nothing was taken",
    matches: ({ step, theirStruct, ourStruct }) =>
      step.api === describeGroups && theirStruct["errorCode"] === "GROUP_ID_NOT_FOUND" &&
      ourStruct["errorCode"] === "NONE" && /Rebalance$/.test(String(ourStruct["groupState"])),
  },
  {
    name: "a producer that neither coordinator nor partition takes",
    deviation: "the coordinator's word comes before the partition's",
    matches: ({ step, theirs, ours }) =>
      step.api === produce && theirs === "INVALID_PRODUCER_EPOCH" &&
      ours === "INVALID_PRODUCER_ID_MAPPING",
  },
  {
    name: "a member that asks again before it is answered",
    deviation: "ends the earlier one with REBALANCE_IN_PROGRESS",
    // By then the group has gone on without it.
    endsComparison: true,
    matches: ({ step, path, theirs }) =>
      (step.api === joinGroup || step.api === syncGroup) && path === "(outcome)" &&
      theirs === "never",
  },
  {
    name: "who leads after the leader",
    deviation: null,
    endsComparison: true,
    matches: isLeaderByChance,
  },
  {
    name: "other defaults",
    deviation: "Every broker and topic config of Kafka 4.4 is known",
    matches: ({ step, theirStruct }) =>
      step.api === describeConfigs && OTHER_DEFAULTS.has(String(theirStruct["name"])),
  },
];
