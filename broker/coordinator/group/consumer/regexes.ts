/**
 * Subscriptions by regular expression (KIP-848): which topics they match, seen with the eyes of the
 * member that brought them. Patterns are RE2's, so none takes more than linear time, and topics are
 * matched in slices between other work. What was found is a record; it is found anew when topics
 * have come, and once in group.consumer.regex.refresh.interval.ms. Kafka's `TopicRegexResolver`.
 */
import { Errors } from "../../../../core/errors.ts";
import { compileRegex, type Regex } from "../../../../core/regex.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupContext, TopicView } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import { type ConsumerGroup, groupEpochRecord, regexRecord } from "./consumer-group.ts";
import type { ConsumerMember } from "./consumer-member.ts";

type Step = CoordinatorResult<GroupRecord, void>;

const NO_STEP: Step = { records: [], response: undefined };

/** The least time between two resolutions of a group's expressions, as in Kafka. */
const REFRESH_INTERVAL_MIN_MS = 10_000;

/** How long topics are matched before others get a turn. */
const SLICE_MS = 2;

/** What a change of a member's expression means for its subscription. */
export type RegexChange =
  /** It is the same. */
  | "none"
  /** It is another, and what it matches will be known later. */
  | "changed"
  /** It is another, and what it matches is known already. */
  | "resolved";

/** Who asks for topics: whether it may see one. */
export type CanDescribe = (topic: string) => boolean;

/** A resolution that is under way. */
interface Resolution {
  readonly regexes: ReadonlyMap<string, Regex>;
  readonly matched: ReadonlyMap<string, Set<string>>;
  readonly topics: Iterator<TopicView>;
  readonly canDescribe: CanDescribe;
  readonly version: number;
  readonly startedMs: number;
}

/** See the header. */
export class RegexSubscriptions {
  readonly #running = new Set<string>();
  /** The metadata in which topics were last created. */
  #newTopicsVersion: number;

  constructor(
    readonly context: GroupContext,
    readonly find: (groupId: string) => ConsumerGroup | undefined,
  ) {
    this.#newTopicsVersion = context.topics.version();
  }

  /** There are new topics, which expressions may match. */
  onTopicsCreated(): void {
    this.#newTopicsVersion = this.context.topics.version();
  }

  /** Takes up a change of a member's expression, and starts a resolution if one is due. */
  update(
    group: ConsumerGroup,
    member: ConsumerMember,
    updated: ConsumerMember,
    canDescribe: CanDescribe,
    records: GroupRecord[],
  ): Outcome<RegexChange> {
    const before = member.subscribedTopicRegex ?? "";
    const after = updated.subscribedTopicRegex ?? "";
    let change: RegexChange = "none";
    let isNew = false;
    if (member.subscribedTopicRegex !== updated.subscribedTopicRegex) {
      change = "changed";
      if (before !== "" && group.regexSubscribers.get(before) === 1) {
        records.push(regexRecord(group.groupId, before, null));
      }
      if (after === "") change = before === "" ? "changed" : "resolved";
      else if (!group.regexSubscribers.has(after)) {
        const compiled = compileRegex(after);
        if (!compiled.ok) {
          const why =
            `SubscribedTopicRegex \`${after}\` is not a valid regular expression: ${compiled.why}.`;
          return refuse(Errors.INVALID_REGULAR_EXPRESSION, why);
        }
        isNew = true;
      } else if (group.regexes.has(after)) change = "resolved";
    }
    const regexes = new Set(group.regexSubscribers.keys());
    if (before !== after) {
      if (group.regexSubscribers.get(before) === 1) regexes.delete(before);
      if (after !== "") regexes.add(after);
    }
    if (this.#isDue(group, regexes, isNew)) this.#start(group.groupId, regexes, canDescribe);
    return accept(change);
  }

  #isDue(group: ConsumerGroup, regexes: ReadonlySet<string>, isNew: boolean): boolean {
    if (regexes.size === 0 || this.#running.has(group.groupId)) return false;
    const [last] = group.regexes.values();
    if (last === undefined) return true;
    const { clock, config } = this.context;
    const ageMs = clock.wallMs() - last.timestampMs;
    if (ageMs <= REFRESH_INTERVAL_MIN_MS) return false;
    return isNew || regexes.size !== group.regexes.size ||
      last.version < this.#newTopicsVersion || ageMs > config.consumer.regexRefreshIntervalMs;
  }

  #start(groupId: string, regexes: ReadonlySet<string>, canDescribe: CanDescribe): void {
    const { clock, topics } = this.context;
    const compiled = new Map<string, Regex>();
    for (const regex of regexes) {
      const result = compileRegex(regex);
      if (result.ok) compiled.set(regex, result.regex);
    }
    this.#running.add(groupId);
    this.#next(groupId, {
      regexes: compiled,
      matched: new Map([...regexes].map((regex) => [regex, new Set()])),
      topics: topics.all()[Symbol.iterator](),
      canDescribe,
      version: topics.version(),
      startedMs: clock.wallMs(),
    });
  }

  #next(groupId: string, resolution: Resolution): void {
    this.context.timers.schedule(`consumer regexes ${groupId}`, 0, () => {
      const endMs = this.context.clock.monotonicMs() + SLICE_MS;
      do {
        const { value: topic, done } = resolution.topics.next();
        if (done) return this.#finish(groupId, resolution);
        matchTopic(resolution, topic.name);
      } while (this.context.clock.monotonicMs() < endMs);
      this.#next(groupId, resolution);
      return NO_STEP;
    });
  }

  /** Records what was found; members are given it by a new group epoch. */
  #finish(groupId: string, { matched, version, startedMs }: Resolution): Step {
    this.#running.delete(groupId);
    const group = this.find(groupId);
    if (group === undefined) return NO_STEP;
    const records: GroupRecord[] = [];
    const names = new Set<string>();
    let differs = false;
    for (const member of group.members.values()) {
      for (const name of member.subscribedTopicNames) names.add(name);
    }
    for (const [regex, topics] of matched) {
      if (!group.regexSubscribers.has(regex)) continue;
      const old = group.regexes.get(regex)?.topics ?? new Set();
      differs ||= old.size !== topics.size || !topics.isSubsetOf(old);
      for (const name of topics) names.add(name);
      records.push(regexRecord(groupId, regex, { topics, version, timestampMs: startedMs }));
    }
    for (const [regex, { topics }] of group.regexes) {
      if (!matched.has(regex)) { for (const name of topics) names.add(name); }
    }
    const hash = group.hashOf(names, this.context.topics);
    if (differs || hash !== group.metadataHash) {
      const epoch = group.groupEpoch + 1;
      records.push(groupEpochRecord(groupId, epoch, hash));
      group.metadataRefreshed(epoch);
    }
    return { records, response: undefined };
  }
}

function matchTopic({ regexes, matched, canDescribe }: Resolution, topic: string): void {
  for (const [source, regex] of regexes) {
    if (regex.matches(topic) && canDescribe(topic)) matched.get(source)?.add(topic);
  }
}
