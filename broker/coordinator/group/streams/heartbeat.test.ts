import { describe, expect, test } from "bun:test";
import { Errors } from "../../../../core/errors.ts";
import { GROUP, type GroupHarness } from "../group.test-helper.ts";
import { StatusCodes } from "./configured-topology.ts";
import {
  describeGroup,
  internalTopic,
  names,
  SimThread,
  streamsHarness,
  streamsHeartbeat,
  untilStable,
  WORD_COUNT,
} from "./streams.test-helper.ts";
import { taskSet } from "./tasks.ts";

const ALL = ["0_0", "0_1", "0_2", "0_3", "1_0", "1_1", "1_2", "1_3"];

describe("joining", () => {
  test("internal topics are asked for, and tasks are given when they are there", async () => {
    const groups = await streamsHarness(4);
    const thread = new SimThread(groups, "a");
    await thread.beat();
    expect(thread.status).toEqual([StatusCodes.MISSING_INTERNAL_TOPICS]);
    expect(thread.last!.topicsToCreate.map(({ name, partitions }) => [name, partitions]))
      .toEqual([["r", 4], ["c", 4]]);
    expect(groups.state()).toBe("NotReady");
    expect(thread.active).toEqual([]);
    await thread.beat();
    expect(thread.active).toEqual(ALL);
    expect(thread.status).toEqual([]);
    expect(groups.state()).toBe("Stable");
  });

  test("a missing source and one of another size than a topic that it is for are told", async () => {
    const groups = await streamsHarness(4);
    groups.deleteTopic("t");
    const thread = new SimThread(groups, "a");
    await thread.beat();
    expect(thread.last!.status).toEqual([{
      statusCode: StatusCodes.MISSING_SOURCE_TOPICS,
      statusDetail: "Source topics t are missing.",
    }]);
    groups.setTopic("t", 4);
    groups.setTopic("r", 3);
    await thread.beat();
    expect(thread.last!.status).toEqual([{
      statusCode: StatusCodes.INCORRECTLY_PARTITIONED_TOPICS,
      statusDetail: "Existing topic r has different number of partitions: expected 4, found 3",
    }]);
  });

  test("the tasks of a group whose topic goes are taken", async () => {
    const groups = await streamsHarness(2);
    const thread = new SimThread(groups, "a");
    await untilStable(groups, [thread]);
    groups.deleteTopic("c");
    await thread.beat({ createsTopics: false });
    expect(thread.active).toEqual([]);
    expect(groups.state()).toBe("NotReady");
    await thread.beat();
    await untilStable(groups, [thread]);
    expect(thread.active).toEqual(["0_0", "0_1", "1_0", "1_1"]);
  });

  test("the first member waits for others, so that nothing has to move", async () => {
    const groups = await streamsHarness(4, { initialRebalanceDelayMs: () => 3_000 });
    groups.setTopic("r", 4);
    groups.setTopic("c", 4);
    const threads = ["a", "b"].map((id) => new SimThread(groups, id));
    for (const thread of threads) {
      await thread.beat();
      expect(thread.status).toEqual([StatusCodes.ASSIGNMENT_DELAYED]);
      expect(thread.active).toEqual([]);
    }
    await groups.clock.advance(3_000);
    const { assignmentEpoch } = describeGroup(groups);
    for (const thread of threads) await thread.beat();
    expect(threads.map((thread) => thread.active.length)).toEqual([4, 4]);
    expect(describeGroup(groups).assignmentEpoch).toBe(assignmentEpoch);
    expect(groups.state()).toBe("Stable");
  });

  test("targets are computed at most once in the interval", async () => {
    const groups = await streamsHarness(4, { assignmentIntervalMs: () => 1_000 });
    groups.setTopic("r", 4);
    groups.setTopic("c", 4);
    const [a, b] = ["a", "b"].map((id) => new SimThread(groups, id));
    await a!.beat();
    await b!.beat();
    expect(b!.status).toEqual([StatusCodes.ASSIGNMENT_DELAYED]);
    await untilStable(groups, [a!, b!]);
    expect([a!.active.length, b!.active.length]).toEqual([4, 4]);
  });

  test("an empty classic group becomes a streams group and keeps its offsets", async () => {
    const groups = await streamsHarness(1);
    expect(await groups.commit(7n)).toBe(Errors.NONE);
    await new SimThread(groups, "a").beat();
    const listing = groups.runtime.now(0, (shard) => shard.list());
    expect(listing.ok && listing.value).toEqual([
      { groupId: GROUP, protocolType: "streams", state: "NotReady", type: "streams" },
    ]);
    expect(groups.offset()).toBe(7n);
  });

  test("a group with classic members is none", async () => {
    const groups = await streamsHarness(1);
    await groups.stable(1);
    expect(await new SimThread(groups, "a").beat()).toBe(Errors.GROUP_ID_NOT_FOUND);
  });
});

describe("moving tasks", () => {
  async function two(groups: GroupHarness): Promise<[SimThread, SimThread]> {
    const threads: [SimThread, SimThread] = [
      new SimThread(groups, "a"),
      new SimThread(groups, "b"),
    ];
    await untilStable(groups, [threads[0]]);
    return threads;
  }

  test("a task is given to another only when it was given up", async () => {
    const groups = await streamsHarness(4);
    const [a, b] = await two(groups);
    await b.beat();
    expect(b.active).toEqual([]);
    await a.beat({ keepsRevoked: true });
    await b.beat();
    expect(b.active).toEqual([]);
    expect(groups.state()).toBe("Reconciling");
    a.revoke();
    await a.beat();
    await b.beat();
    expect([a.active.length, b.active.length]).toEqual([4, 4]);
    expect([...a.active, ...b.active].toSorted()).toEqual(ALL);
  });

  test("a member that does not give up is fenced after its rebalance timeout", async () => {
    const groups = await streamsHarness(4);
    const [a, b] = await two(groups);
    await b.beat();
    await a.beat({ keepsRevoked: true });
    for (let second = 0; second < 61; second++) {
      await groups.clock.advance(1_000);
      await b.beat();
      if (describeGroup(groups).members.length === 1) break;
      await a.beat({ keepsRevoked: true });
    }
    expect(describeGroup(groups).members.map((member) => member.memberId)).toEqual(["b"]);
    expect(b.active).toEqual(ALL);
  });

  test("a member that is silent for its session is fenced, and others take over", async () => {
    const groups = await streamsHarness(4);
    const [a, b] = await two(groups);
    await untilStable(groups, [a, b]);
    for (let second = 0; second < 46; second++) {
      await groups.clock.advance(1_000);
      await b.beat();
    }
    expect(b.active).toEqual(ALL);
    expect(await a.beat()).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  test("standbys are on other processes, and one that becomes active is given up first", async () => {
    const groups = await streamsHarness(2, { standbyReplicas: () => 1 });
    const [a, b] = [new SimThread(groups, "a"), new SimThread(groups, "b")];
    await untilStable(groups, [a, b]);
    const stateful = (tasks: string[]) => tasks.filter((task) => task.startsWith("1_"));
    expect([...a.standby, ...b.standby].toSorted()).toEqual(["1_0", "1_1"]);
    expect(a.standby).toEqual(stateful(b.active));
    await a.leave();
    await b.beat();
    // It has given up the standby, and says so with the next heartbeat.
    expect(b.standby).toEqual([]);
    await b.beat();
    expect(b.active).toEqual(["0_0", "0_1", "1_0", "1_1"]);
  });

  test("a lost answer does no harm: the epoch before is accepted with no more tasks", async () => {
    const groups = await streamsHarness(4);
    const [a, b] = await two(groups);
    await b.beat();
    await a.beat();
    await a.beat({ lost: true });
    expect(await a.beat()).toBe(Errors.NONE);
    expect(a.memberEpoch).toBe(describeGroup(groups).groupEpoch);
  });

  test("more standbys are a new epoch", async () => {
    let replicas = 0;
    const groups = await streamsHarness(2, { standbyReplicas: () => replicas });
    const [a, b] = [new SimThread(groups, "a"), new SimThread(groups, "b")];
    await untilStable(groups, [a, b]);
    replicas = 1;
    await a.beat();
    await untilStable(groups, [a, b]);
    expect([...a.standby, ...b.standby].toSorted()).toEqual(["1_0", "1_1"]);
  });
});

describe("what members hear of each other", () => {
  test("endpoints and what can be asked there", async () => {
    const groups = await streamsHarness(2);
    const a = new SimThread(groups, "a", { endpoint: { host: "one", port: 80 } });
    const b = new SimThread(groups, "b");
    await untilStable(groups, [a, b]);
    b.endpointEpoch = -1;
    await b.beat();
    const [endpoint] = b.last!.partitionsByUserEndpoint!;
    expect(endpoint!.userEndpoint).toEqual({ host: "one", port: 80 });
    const told = endpoint!.activePartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => `${topic}-${partition}`)
    );
    const own = a.active.map((task) => task.replace("0_", "t-").replace("1_", "r-"));
    expect(told.toSorted()).toEqual(own.toSorted());
    await b.beat();
    expect(b.last!.partitionsByUserEndpoint).toBeNull();
  });

  test("an endpoint that several threads have is one, with the partitions of all", async () => {
    const groups = await streamsHarness(2);
    const endpoint = { host: "one", port: 80 };
    const threads = ["a", "b"].map((id) => new SimThread(groups, id, { endpoint, processId: "p" }));
    await untilStable(groups, threads);
    threads[0]!.endpointEpoch = -1;
    await threads[0]!.beat();
    const told = threads[0]!.last!.partitionsByUserEndpoint!;
    expect(told).toHaveLength(1);
    expect(told[0]!.activePartitions).toEqual([
      { topic: "t", partitions: [0, 1] },
      { topic: "r", partitions: [0, 1] },
    ]);
  });

  test("a shutdown of the application reaches all until nobody is left", async () => {
    const groups = await streamsHarness(2);
    const [a, b] = [new SimThread(groups, "a"), new SimThread(groups, "b")];
    await untilStable(groups, [a, b]);
    await a.leave(true);
    await b.beat();
    expect(b.status).toEqual([StatusCodes.SHUTDOWN_APPLICATION]);
    await b.leave();
    await b.beat();
    expect(b.status).toEqual([]);
  });

  test("a member with an older topology is told that it is behind", async () => {
    const groups = await streamsHarness(2);
    const topology = { ...WORD_COUNT, epoch: 3 };
    const a = new SimThread(groups, "a", { topology });
    await untilStable(groups, [a]);
    const b = new SimThread(groups, "b", { topology: { ...topology, epoch: 2 } });
    expect(await b.beat()).toBe(Errors.NONE);
    expect(b.last!.status).toEqual([{
      statusCode: StatusCodes.STALE_TOPOLOGY,
      statusDetail: "The member's topology epoch 2 is behind the group's topology epoch 3.",
    }]);
  });
});

describe("refusals", () => {
  async function stable() {
    const groups = await streamsHarness(2);
    const thread = new SimThread(groups, "m");
    await untilStable(groups, [thread]);
    return { groups, epoch: thread.memberEpoch };
  }
  const owned = (active: [string, number[]][]) => ({
    active: taskSet(active.map(([subtopologyId, partitions]) => ({ subtopologyId, partitions }))),
    standby: new Map(),
    warmup: new Map(),
  });

  test("by their codes", async () => {
    const { groups, epoch } = await stable();
    const cases = [
      [{ memberId: "x", memberEpoch: epoch }, Errors.UNKNOWN_MEMBER_ID],
      [{ memberId: "x", memberEpoch: -1 }, Errors.UNKNOWN_MEMBER_ID],
      [{ groupId: "x", memberEpoch: 3 }, Errors.GROUP_ID_NOT_FOUND],
      [{ groupId: "x", memberEpoch: -1 }, Errors.GROUP_ID_NOT_FOUND],
      [{ memberEpoch: epoch + 1 }, Errors.FENCED_MEMBER_EPOCH],
      [{ memberEpoch: epoch - 1 }, Errors.FENCED_MEMBER_EPOCH],
      [{ memberEpoch: epoch - 1, owned: owned([["0", [7]]]) }, Errors.FENCED_MEMBER_EPOCH],
      [{ memberEpoch: epoch, owned: owned([["9", [0]]]) }, Errors.INVALID_REQUEST],
      [{ memberEpoch: epoch, owned: owned([["0", [2]]]) }, Errors.INVALID_REQUEST],
      [{ memberEpoch: epoch, owned: owned([["0", [-1]]]) }, Errors.INVALID_REQUEST],
      [
        { topology: { epoch: 0, subtopologies: WORD_COUNT.subtopologies.slice(1) } },
        Errors.INVALID_REQUEST,
      ],
    ] as const;
    for (const [request, error] of cases) {
      const outcome = await streamsHeartbeat(groups, request);
      expect([request, outcome.ok ? 0 : outcome.error]).toEqual([request, error]);
    }
    expect(groups.state()).toBe("Stable");
  });

  test("a full group, but not of its own members", async () => {
    const groups = await streamsHarness(2, { maxSize: 1 });
    const thread = new SimThread(groups, "a");
    await thread.beat();
    expect(await new SimThread(groups, "b").beat()).toBe(Errors.GROUP_MAX_SIZE_REACHED);
    thread.reset();
    expect(await thread.beat()).toBe(Errors.NONE);
  });

  test("topologies that can never run", async () => {
    const groups = await streamsHarness(2);
    const [first, second] = WORD_COUNT.subtopologies;
    for (
      const subtopologies of [
        // Nobody writes `r`.
        [second!],
        // Nothing to read.
        [{ ...first!, sourceTopics: [] }],
        // `r` and `s` wait for each other.
        [
          {
            ...first!,
            sourceTopics: [],
            repartitionSourceTopics: [internalTopic("s")],
            repartitionSinkTopics: ["r"],
          },
          { ...second!, repartitionSinkTopics: ["s"] },
        ],
      ]
    ) {
      const thread = new SimThread(groups, "a", { topology: { epoch: 0, subtopologies } });
      expect(await thread.beat()).toBe(Errors.STREAMS_INVALID_TOPOLOGY);
      expect(groups.state()).toBe("Dead");
    }
  });
});

describe("offsets", () => {
  test("are committed by members, in their epoch or for tasks that they had before", async () => {
    const groups = await streamsHarness(2);
    const [a, b] = [new SimThread(groups, "a"), new SimThread(groups, "b")];
    await untilStable(groups, [a]);
    const before = a.memberEpoch;
    await untilStable(groups, [a, b]);
    const commit = (memberId: string, generationId: number) =>
      groups.commit(5n, { memberId, generationId });
    const holder = a.active.includes("0_0") ? a : b;
    expect(await commit(holder.memberId, holder.memberEpoch)).toBe(Errors.NONE);
    expect(await commit("a", a.memberEpoch + 1)).toBe(Errors.STALE_MEMBER_EPOCH);
    expect(await commit("x", 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(await commit("", -1)).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(await commit("a", before))
      .toBe(holder === a ? Errors.NONE : Errors.STALE_MEMBER_EPOCH);
    const fetched = (memberId: string | null, epoch: number) => {
      const outcome = groups.runtime.now(
        0,
        (shard) => shard.offsets.fetchProblem(GROUP, memberId, epoch),
      );
      return outcome.ok ? outcome.value : outcome.error;
    };
    expect(fetched("a", a.memberEpoch)).toBe(Errors.NONE);
    expect(fetched("a", a.memberEpoch - 1)).toBe(Errors.STALE_MEMBER_EPOCH);
    expect(fetched(null, -1)).toBe(Errors.NONE);
  });

  test("of source topics may not be deleted while there are members; then the group may go", async () => {
    const groups = await streamsHarness(1);
    const thread = new SimThread(groups, "a");
    await untilStable(groups, [thread]);
    await groups.commit(5n, { memberId: "a", generationId: thread.memberEpoch });
    const deleteOffset = async () => {
      const outcome = await groups.runtime.write(
        0,
        (shard) => shard.offsets.delete(GROUP, [{ name: "t", partitions: [0] }]),
      );
      if (!outcome.ok || !outcome.value.ok) throw new Error("not as a whole");
      return outcome.value.topics[0]!.partitions[0]!.error;
    };
    const deleteGroup = async () => {
      const outcome = await groups.runtime.write(0, (shard) => shard.deleteGroups([GROUP]));
      return outcome.ok ? outcome.value.get(GROUP) : outcome.error;
    };
    expect(await deleteOffset()).toBe(Errors.GROUP_SUBSCRIBED_TO_TOPIC);
    expect(await deleteGroup()).toBe(Errors.NON_EMPTY_GROUP);
    await thread.leave();
    expect(groups.state()).toBe("Empty");
    expect(await deleteOffset()).toBe(Errors.NONE);
    expect(await deleteGroup()).toBe(Errors.NONE);
    expect(groups.state()).toBe("Dead");
    await groups.start();
    expect(groups.state()).toBe("Dead");
  });
});

test("a group is described with the sizes of its internal topics", async () => {
  const groups = await streamsHarness(3);
  const thread = new SimThread(groups, "a");
  await untilStable(groups, [thread]);
  const { topology, members, ...rest } = describeGroup(groups);
  expect(rest).toEqual({
    groupId: GROUP,
    groupState: "Stable",
    groupEpoch: thread.memberEpoch,
    assignmentEpoch: thread.memberEpoch,
    assignorName: "sticky",
  });
  expect(topology!.subtopologies[1]!.repartitionSourceTopics).toEqual([internalTopic("r", 3)]);
  expect(topology!.subtopologies[1]!.stateChangelogTopics).toEqual([internalTopic("c", 3)]);
  expect(names(taskSet(members[0]!.assignment.activeTasks))).toEqual(thread.active);
  expect(members[0]!.targetAssignment).toEqual(members[0]!.assignment);
});
