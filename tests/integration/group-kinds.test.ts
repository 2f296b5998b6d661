/** `kstream group` with groups of the new protocols, whose members are heartbeats of our own. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { consumerGroupHeartbeat } from "../../core/protocol/68-consumer-group-heartbeat.ts";
import { shareGroupHeartbeat } from "../../core/protocol/76-share-group-heartbeat.ts";
import { streamsGroupHeartbeat } from "../../core/protocol/88-streams-group-heartbeat.ts";
import { startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { RawClient } from "../harness/raw-client.ts";
import { fails, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };
let client: RawClient;
const MEMBER = "AAAAAAAAQAqAAAAAAAAAAQ";
const LEAVE = -1;

beforeAll(async () => {
  const atOnce = ["--set", "group.streams.initial.rebalance.delay.ms=0"];
  broker = await startBrokerProcess({
    args: ["--memory", "--topic", "a:2", "--topic", "b", ...atOnce],
  });
  at = { brokers: broker.bootstrap };
  await ok(["produce", "a", "-p", "0"], { ...at, input: "1\n2\n3\n4\n5\n" });
  client = await RawClient.connect(broker.port);
  // The coordinator is there once its topic is.
  const groups = { keyType: 0, coordinatorKeys: ["any"] };
  while ((await client.request(findCoordinator, 4, groups)).coordinators[0]?.errorCode !== 0);
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
});

async function describe(group: string) {
  return JSON.parse(await ok(["group", "describe", group, "--json"], at))[0];
}

/** The first answer without an error: coordinators may be loading. */
async function untilDone<T extends { errorCode: number }>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (answer.errorCode === 0) return answer;
    if (Date.now() > deadline) throw new Error(`error ${answer.errorCode}`);
  }
}

test("a consumer group shows epochs, subscriptions and who reads what", async () => {
  const request = {
    groupId: "modern",
    memberId: MEMBER,
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: ["a"],
    topicPartitions: [],
  };
  await untilDone(() => client.request(consumerGroupHeartbeat, 1, request));
  const group = await describe("modern");
  expect(group).toMatchObject({ type: "consumer", groupEpoch: 2, members: [{ memberEpoch: 2 }] });
  expect(group.members[0].subscribedTopics).toEqual(["a"]);
  expect(group.partitions.map((each: { memberId: string }) => each.memberId))
    .toEqual([MEMBER, MEMBER]);
  const text = await ok(["group", "describe", "modern", "--members"], at);
  expect(text).toMatch(new RegExp(`^ +raw@127.0.0.1 +${MEMBER} +2 +a:0-1$`, "m"));
  const seek = ["group", "seek", "modern", "--to", "start", "-t", "a"];
  await fails([...seek, "--execute"], 1, ['group "modern" has 1 live member', "stop"], at);
  const leaving = { groupId: "modern", memberId: MEMBER, memberEpoch: LEAVE };
  await untilDone(() => client.request(consumerGroupHeartbeat, 1, leaving));
  await ok([...seek, "--execute"], at);
  expect(await describe("modern")).toMatchObject({ state: "Empty", lag: 5 });
  expect(await ok(["group", "delete", "modern"], at)).toBe("deleted group modern\n");
});

test("a share group shows start offsets, and seek moves them", async () => {
  const request = { groupId: "queue", memberId: MEMBER, memberEpoch: 0 };
  const join = { ...request, subscribedTopicNames: ["a"] };
  await untilDone(() => client.request(shareGroupHeartbeat, 1, join));
  const group = await describe("queue");
  expect(group).toMatchObject({ type: "share", state: "Stable" });
  expect(group.members[0].assignment).toEqual([{ topic: "a", partitions: [0, 1] }]);
  const seek = ["group", "seek", "queue", "--to", "2", "-t", "a:0"];
  await fails([...seek, "--execute"], 1, ["1 live member"], at);
  await untilDone(() => client.request(shareGroupHeartbeat, 1, { ...request, memberEpoch: LEAVE }));
  await ok([...seek, "--execute"], at);
  const [first] = (await describe("queue")).partitions;
  expect(first).toMatchObject({ topic: "a", partition: 0, committedOffset: 2, memberId: null });
  expect(first.lag).toBe(3);
  expect(await ok(["group", "describe", "queue"], at)).toMatch(/^ +a +0 +2 +5 +3$/m);
  // Where it has not begun there is nothing to shift, which matters only if it is named.
  await ok(["group", "seek", "queue", "--shift", "-1"], at);
  expect(await ok(["group", "forget", "queue", "a"], at)).toContain("forgot topic a");
  expect((await describe("queue")).partitions).toEqual([]);
  await ok(["group", "delete", "queue"], at);
});

test("a streams group shows tasks, and their inputs as what a member reads", async () => {
  const subtopology = (subtopologyId: string, sourceTopics: string[]) => ({
    subtopologyId,
    sourceTopics,
    sourceTopicRegex: [],
    stateChangelogTopics: [],
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
  });
  const request = {
    groupId: "app",
    memberId: MEMBER,
    memberEpoch: 0,
    endpointInformationEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    // The topic b has one partition less than there are tasks.
    topology: { epoch: 0, subtopologies: [subtopology("0", ["a", "b"])] },
    activeTasks: [],
    standbyTasks: [],
    warmupTasks: [],
    processId: "p",
    clientTags: [],
  };
  await untilDone(() => client.request(streamsGroupHeartbeat, 0, request));
  const joined = await describe("app");
  expect(joined).toMatchObject({ type: "streams", members: [{ tasks: { standby: [] } }] });
  expect(joined.members[0].tasks.active).toEqual([{ subtopology: "0", partitions: [0, 1] }]);
  const reads = joined.partitions.map((each: { topic: string; partition: number }) =>
    `${each.topic}:${each.partition}`
  );
  expect(reads).toEqual(["a:0", "a:1", "b:0"]);
  expect(await ok(["group", "describe", "app"], at)).toMatch(/ 0_0,0_1 +-$/m);
  expect(await ok(["group", "list", "--type", "streams,share"], at)).toMatch(/^app +\w+ +streams/m);
});
