/**
 * Streams groups (KIP-1071): the same requests to Apache Kafka and to our broker, every answer
 * compared but for what `docs/deviations.md` says of them.
 */
import { Errors } from "../../../core/errors.ts";
import { metadata } from "../../../core/protocol/03-metadata.ts";
import { offsetCommit } from "../../../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../../core/protocol/12-heartbeat.ts";
import { describeGroups } from "../../../core/protocol/15-describe-groups.ts";
import { listGroups } from "../../../core/protocol/16-list-groups.ts";
import { createTopics } from "../../../core/protocol/19-create-topics.ts";
import { deleteTopics } from "../../../core/protocol/20-delete-topics.ts";
import { deleteGroups } from "../../../core/protocol/42-delete-groups.ts";
import { incrementalAlterConfigs } from "../../../core/protocol/44-incremental-alter-configs.ts";
import { offsetDelete } from "../../../core/protocol/47-offset-delete.ts";
import { consumerGroupHeartbeat } from "../../../core/protocol/68-consumer-group-heartbeat.ts";
import { streamsGroupHeartbeat } from "../../../core/protocol/88-streams-group-heartbeat.ts";
import { streamsGroupDescribe } from "../../../core/protocol/89-streams-group-describe.ts";
import type { EncodableRequest, RequestOf } from "../../../core/protocol/schema.ts";
import { needKafka } from "../install.ts";
import { expectSameAnswers, recordAnswers, type Recorder } from "../recorder.ts";
import type { CompatSuite } from "../suite.ts";

/** Kafka 4.3's last versions where ours has a later one. */
const DELETE_GROUPS_VERSION = 2;
const BY_NAME_VERSION = 9;
const STREAMS_VERSION = 0;

type Beat = EncodableRequest<typeof streamsGroupHeartbeat>;
type Topology = NonNullable<RequestOf<typeof streamsGroupHeartbeat>["topology"]>;
type Subtopology = Topology["subtopologies"][number];
type TopicInfo = Subtopology["stateChangelogTopics"][number];

const internal = (name: string, partitions = 0): TopicInfo => ({
  name,
  partitions,
  replicationFactor: 0,
  topicConfigs: [{ key: "cleanup.policy", value: "compact" }],
});

const subtopology = (
  subtopologyId: string,
  sourceTopics: string[],
  more: Partial<Subtopology> = {},
): Subtopology => ({
  subtopologyId,
  sourceTopics,
  sourceTopicRegex: [],
  stateChangelogTopics: [],
  repartitionSinkTopics: [],
  repartitionSourceTopics: [],
  copartitionGroups: [],
  ...more,
});

/** A topology of these subtopologies. */
const topologyOf = (...subtopologies: Subtopology[]): Topology => ({ epoch: 0, subtopologies });

/** `t` is repartitioned, and something is counted. */
const counting = (prefix: string) =>
  topologyOf(
    subtopology("0", ["t"], { repartitionSinkTopics: [`${prefix}-r`] }),
    subtopology("1", [], {
      repartitionSourceTopics: [internal(`${prefix}-r`)],
      stateChangelogTopics: [internal(`${prefix}-c`)],
    }),
  );

const NONE = { activeTasks: [], standbyTasks: [], warmupTasks: [] };

const joining = (topology: Topology, more: Beat = {}): Beat => ({
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  processId: "p",
  clientTags: [],
  topology,
  ...NONE,
  ...more,
});

/** What a member says that it has: active tasks of both subtopologies. */
const owns = (...partitions: number[]) => ({
  ...NONE,
  activeTasks: ["0", "1"].map((subtopologyId) => ({ subtopologyId, partitions })),
});

/** One transcript: requests, with the state of the group recorded where it matters. */
class Scenario {
  constructor(readonly r: Recorder, readonly groupId: string) {}

  /** Has targets computed at once. */
  async prepare(more: { readonly name: string; readonly value: string }[] = []): Promise<void> {
    const wanted = [
      { name: "streams.initial.rebalance.delay.ms", value: "0" },
      { name: "streams.assignment.interval.ms", value: "0" },
      ...more,
    ];
    const configs = wanted.map((each) => ({ ...each, configOperation: 0 }));
    const resources = [{ resourceType: 32, resourceName: this.groupId, configs }];
    await this.r.ask("configs", incrementalAlterConfigs, { resources });
    await Bun.sleep(300);
  }

  beat(what: string, request: Beat) {
    const full = { groupId: this.groupId, endpointInformationEpoch: -1, ...request };
    return this.r.ask(what, streamsGroupHeartbeat, full, STREAMS_VERSION);
  }

  async look(what: string): Promise<void> {
    const groups = { groupIds: [this.groupId] };
    await this.r.ask(what, streamsGroupDescribe, groups, STREAMS_VERSION);
    await this.r.ask(what, listGroups, { typesFilter: ["streams"] });
  }

  /** Waits until a topic is there, or is not, for the coordinator too. */
  async settled(topic: string, isThere = true): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const request = { topics: [{ name: topic }], allowAutoTopicCreation: false };
      const { topics } = await this.r.one.request(metadata, request);
      if ((topics[0]?.errorCode === Errors.NONE) === isThere) break;
      await Bun.sleep(100);
    }
    await Bun.sleep(500);
  }

  async badRequests(): Promise<void> {
    const topology = counting("bad");
    const join = joining(topology);
    const first = topology.subtopologies[0]!;
    const task = [{ subtopologyId: "0", partitions: [0] }];
    const offset = [{ subtopologyId: "0", partition: 0, offset: 0n }];
    const rows: [string, Beat][] = [
      ["no member id", { ...join }],
      ["blank member id", { ...join, memberId: " " }],
      ["blank group id", { ...join, memberId: "a", groupId: " " }],
      ["blank rack", { ...join, memberId: "a", rackId: "" }],
      ["static", { ...join, memberId: "a", instanceId: "i" }],
      ["task offsets", { ...join, memberId: "a", taskOffsets: offset }],
      ["task end offsets", { ...join, memberId: "a", taskEndOffsets: offset }],
      ["warm-ups", { ...join, memberId: "a", warmupTasks: task }],
      ["active tasks", { ...join, memberId: "a", activeTasks: task }],
      ["standby tasks", { ...join, memberId: "a", standbyTasks: task }],
      ["no rebalance timeout", { ...join, memberId: "a", rebalanceTimeoutMs: -1 }],
      ["no topology", { ...join, memberId: "a", topology: null }],
      ["topology later", { ...join, memberId: "a", memberEpoch: 1 }],
      ["some tasks", { memberId: "a", memberEpoch: 1, activeTasks: [] }],
      ["epoch -3", { memberId: "a", memberEpoch: -3 }],
      ["static leave", { memberId: "a", memberEpoch: -2 }],
      ["leave no group", { memberId: "a", memberEpoch: -1 }],
      ["no group", { memberId: "a", memberEpoch: 1 }],
    ];
    const topologies: [string, Topology][] = [
      ["regex", topologyOf({ ...first, sourceTopicRegex: ["t.*"] })],
      ["Kafka's topic", topologyOf({ ...first, sourceTopics: ["__consumer_offsets"] })],
      ["invalid name", topologyOf({ ...first, sourceTopics: ["a b"] })],
      ["sized changelog", topologyOf({ ...first, stateChangelogTopics: [internal("x", 1)] })],
      ["nobody writes it", topologyOf(topology.subtopologies[1]!)],
      ["no sources", topologyOf({ ...first, sourceTopics: [], repartitionSinkTopics: [] })],
      [
        "a loop",
        topologyOf(
          subtopology("0", [], {
            repartitionSourceTopics: [internal("y")],
            repartitionSinkTopics: ["x"],
          }),
          subtopology("1", [], {
            repartitionSourceTopics: [internal("x")],
            repartitionSinkTopics: ["y"],
          }),
        ),
      ],
    ];
    for (const [what, request] of rows) await this.beat(what, request);
    for (const [what, bad] of topologies) {
      await this.beat(what, joining(bad, { memberId: "a" }));
    }
    const groups = { groupIds: [this.groupId, ""] };
    await this.r.ask("nothing yet", streamsGroupDescribe, groups, STREAMS_VERSION);
  }

  /** One member, then two, step by step; both stay. */
  async reconciliation(): Promise<void> {
    const join = joining(counting("x"));
    const a = { memberId: "a" };
    const b = { memberId: "b" };
    await this.beat("first joins", { ...join, ...a });
    await this.settled("x-r");
    await this.settled("x-c");
    await this.look("not ready");
    const { memberEpoch } = await this.beat("topics are there", { ...a, memberEpoch: 2 });
    await this.look("one member");
    await this.beat("nothing new", { ...a, memberEpoch });
    await this.beat("owns all", { ...a, memberEpoch, ...owns(0, 1, 2, 3) });
    await this.beat("joins again", { ...join, ...a });
    await this.beat("epoch ahead", { ...a, memberEpoch: memberEpoch + 1 });
    await this.beat("epoch behind", { ...a, memberEpoch: memberEpoch - 1 });
    await this.beat("no such task", { ...a, memberEpoch, ...owns(9) });
    const noSuch = { ...NONE, activeTasks: [{ subtopologyId: "9", partitions: [0] }] };
    await this.beat("no such subtopology", { ...a, memberEpoch, ...noSuch });
    await this.beat("another topology", { ...joining(counting("y")), memberId: "z" });
    const newer = { ...counting("x"), epoch: 1 };
    await this.beat("newer topology", { ...joining(newer), memberId: "z" });
    await this.beat("no such member", { memberId: "z", memberEpoch });
    await this.beat("no such member leaves", { memberId: "z", memberEpoch: -1 });
    const second = await this.beat("second joins", { ...join, ...b, processId: "q" });
    await this.look("second has to wait");
    await this.beat("first hears", { ...a, memberEpoch });
    await this.look("first gives up");
    await this.beat("first is not done", { ...a, memberEpoch });
    const next = second.memberEpoch;
    await this.beat("second waits", { ...b, memberEpoch: next, ...NONE });
    await this.offsetCommits("while giving up", "a", memberEpoch, [0, 3]);
    await this.beat("first is done", { ...a, memberEpoch, ...owns(0, 1) });
    await this.look("first is done");
    await this.beat("the answer was lost", { ...a, memberEpoch, ...owns(0, 1) });
    await this.beat("an epoch back with more", { ...a, memberEpoch, ...owns(0, 1, 2) });
    await this.beat("second gets", { ...b, memberEpoch: next });
    await this.look("stable");
    await this.offsetCommits("an epoch back", "a", memberEpoch, [0, 3]);
    await this.offsetCommits("present epoch", "a", next, [0, 3]);
    await this.offsetCommits("epoch ahead", "a", next + 1, [0]);
    await this.offsetCommits("nobody", "", -1, [0]);
    await this.offsetCommits("no such member", "z", next, [0]);
    await this.offsetCommits("old version", "a", next, [0], 8);
    await this.offsets(memberEpoch, next);
  }

  async offsetCommits(
    what: string,
    memberId: string,
    generationIdOrMemberEpoch: number,
    partitions: number[],
    version = BY_NAME_VERSION,
  ): Promise<void> {
    const topics = ["t", "x-r", "u"].map((name) => ({
      name,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex, committedOffset: 5n })),
    }));
    const request = { groupId: this.groupId, memberId, generationIdOrMemberEpoch, topics };
    await this.r.ask(what, offsetCommit, request, version);
  }

  async offsets(before: number, now: number): Promise<void> {
    const { r, groupId } = this;
    const fetch = (what: string, memberId: string | null, memberEpoch: number) => {
      const topics = [{ name: "t", partitionIndexes: [0] }];
      const groups = [{ groupId, memberId, memberEpoch, topics }];
      return r.ask(what, offsetFetch, { groups }, BY_NAME_VERSION);
    };
    await fetch("nobody", null, -1);
    await fetch("member", "a", now);
    await fetch("an epoch back", "a", before);
    await fetch("no such member", "z", now);
    const topics = ["t", "u"].map((name) => ({ name, partitions: [{ partitionIndex: 0 }] }));
    await r.ask("subscribed, not subscribed", offsetDelete, { groupId, topics });
    await r.ask("not empty", deleteGroups, { groupsNames: [groupId] }, DELETE_GROUPS_VERSION);
    await r.ask("by the classic API", describeGroups, { groups: [groupId] });
    await r.ask("filtered", listGroups, { typesFilter: ["Streams"], statesFilter: ["stable"] });
    await r.ask("filtered away", listGroups, { typesFilter: ["classic"] });
    const classic = { groupId, memberId: "a", generationId: now };
    await r.ask("classic heartbeat", heartbeat, classic);
    const protocols = [{ name: "range", metadata: new Uint8Array(0) }];
    const join = { groupId, memberId: "", sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 };
    await r.ask("classic join", joinGroup, { ...join, protocolType: "consumer", protocols });
    const consumer = { groupId, memberId: "n", memberEpoch: 0, rebalanceTimeoutMs: 60_000 };
    const subscribed = { ...consumer, subscribedTopicNames: ["t"], topicPartitions: [] };
    await r.ask("consumer joins", consumerGroupHeartbeat, subscribed);
  }

  /** Members leave one after the other; one asks all to shut down. */
  async leaving(): Promise<void> {
    await this.beat("asks for a shutdown", {
      memberId: "a",
      memberEpoch: -1,
      shutdownApplication: true,
    });
    await this.look("one is left");
    const { memberEpoch } = await this.beat("hears of it", { memberId: "b", memberEpoch: 5 });
    await this.beat("gets all", { memberId: "b", memberEpoch });
    await this.look("has all");
    await this.beat("leaves", { memberId: "b", memberEpoch: -1 });
    await this.look("empty");
    await this.beat("is back", { ...joining(counting("x")), memberId: "b" });
    await this.beat("leaves", { memberId: "b", memberEpoch: -1 });
    await this.beat("another topology", { ...joining(counting("y")), memberId: "b" });
    const names = { groupsNames: [this.groupId] };
    await this.r.ask("empty", deleteGroups, names, DELETE_GROUPS_VERSION);
    await this.look("deleted");
  }

  /** Two processes with standbys and endpoints. */
  async standbys(): Promise<void> {
    await this.prepare([{ name: "streams.num.standby.replicas", value: "1" }]);
    const join = joining(counting("x"));
    const endpoint = (host: string) => ({ userEndpoint: { host, port: 80 } });
    await this.beat("first", { ...join, memberId: "a", ...endpoint("one") });
    const known = { memberId: "a", memberEpoch: 2 };
    await this.beat("endpoints", { ...known });
    await this.beat("endpoints are known", { ...known, endpointInformationEpoch: 0 });
    await this.beat("second", { ...join, memberId: "b", processId: "q", ...endpoint("two") });
    await this.look("two processes");
    await this.beat("gives up", { memberId: "a", memberEpoch: 2 });
    // What it gives up and gets in another role comes at once here, with the next one in Kafka.
    const mine = { groupId: this.groupId, memberId: "a", ...owns(0, 1) };
    const standbyTasks = [{ subtopologyId: "1", partitions: [2, 3] }];
    await this.r.one.request(streamsGroupHeartbeat, { ...mine, memberEpoch: 2 });
    await this.r.one.request(streamsGroupHeartbeat, { ...mine, memberEpoch: 3, standbyTasks });
    await this.beat("gets", { memberId: "b", memberEpoch: 3 });
    await this.look("spread");
    for (const memberId of ["a", "b"]) await this.beat("leaves", { memberId, memberEpoch: -1 });
    await this.look("empty");
  }

  /** What is missing or does not fit. */
  async topics(): Promise<void> {
    await this.prepare();
    const gone = topologyOf(subtopology("0", ["gone", "away"]));
    await this.beat("no sources", { ...joining(gone), memberId: "a" });
    await this.look("no sources");
    await this.beat("still none", { memberId: "a", memberEpoch: 2 });
    await this.beat("leaves", { memberId: "a", memberEpoch: -1 });
  }

  /** Sources that are joined and differ in size. */
  async copartitions(): Promise<void> {
    await this.prepare();
    const copartitionGroups = [
      { sourceTopics: [0, 1], sourceTopicRegex: [], repartitionSourceTopics: [] },
    ];
    const joined = topologyOf(subtopology("0", ["t", "u"], { copartitionGroups }));
    await this.beat("t and u differ", { ...joining(joined), memberId: "a" });
    await this.look("t and u differ");
    await this.beat("leaves", { memberId: "a", memberEpoch: -1 });
  }

  /** A repartition topic of a size of its own, and one that is joined with `t`. */
  async repartitions(): Promise<void> {
    await this.prepare();
    const copartitionGroups = [
      { sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] },
    ];
    const topology = (partitions: number) =>
      topologyOf(
        subtopology("0", ["u"], { repartitionSinkTopics: ["z-r"] }),
        subtopology("1", ["t"], {
          repartitionSourceTopics: [internal("z-r", partitions)],
          copartitionGroups,
        }),
      );
    await this.beat("another size", { ...joining(topology(3)), memberId: "a" });
    await this.beat("leaves", { memberId: "a", memberEpoch: -1 });
    const names = { groupsNames: [this.groupId] };
    await this.r.ask("empty", deleteGroups, names, DELETE_GROUPS_VERSION);
    await this.prepare();
    await this.beat("as large as t", { ...joining(topology(0)), memberId: "a" });
    await this.settled("z-r");
    await this.beat("is there", { memberId: "a", memberEpoch: 2 });
    await this.look("is there");
    await this.r.one.request(deleteTopics, { topics: [{ name: "u" }], timeoutMs: 10_000 });
    await this.settled("u", false);
    await this.beat("u is gone", { memberId: "a", memberEpoch: 3 });
    await this.look("u is gone");
    await this.beat("has given up", { memberId: "a", memberEpoch: 3, ...NONE });
    await this.look("has given up");
  }
}

/** Makes the topics and waits for the coordinator. */
async function makeTopics(r: Recorder): Promise<void> {
  const topic = (name: string, numPartitions: number) => ({
    name,
    numPartitions,
    replicationFactor: 1,
  });
  const topics = [topic("t", 4), topic("u", 1)];
  await r.one.request(createTopics, { timeoutMs: 10_000, topics });
  for (let tries = 0; tries < 100; tries++) {
    await r.one.request(findCoordinator, { keyType: 0, coordinatorKeys: ["g"] });
    const beat = { groupId: "g", memberId: "x", memberEpoch: 1 };
    const answer = await r.one.request(streamsGroupHeartbeat, beat);
    if (answer.errorCode === Errors.GROUP_ID_NOT_FOUND) return;
    await Bun.sleep(200);
  }
}

export const transcript = (bootstrap: string) =>
  recordAnswers(bootstrap, async (r) => {
    await makeTopics(r);
    const first = new Scenario(r, "g");
    await first.prepare();
    await first.badRequests();
    await first.reconciliation();
    await first.leaving();
    await new Scenario(r, "standbys").standbys();
    await new Scenario(r, "topics").topics();
    await new Scenario(r, "copartitions").copartitions();
    await new Scenario(r, "repartitions").repartitions();
  });

export const streamsGroupSemantics: CompatSuite = {
  name: "streams-group-semantics",
  needs: [needKafka],
  inSample: false,
  cases: [{
    name: "every answer about streams groups is Apache Kafka 4.3.1's",
    run: () => expectSameAnswers(transcript),
  }],
};
