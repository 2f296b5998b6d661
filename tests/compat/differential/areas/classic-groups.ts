/** Classic groups: two members that join, sync, beat and leave in any order, and odd strangers. */
import { offsetCommit } from "../../../../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../../../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../../../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../../../../core/protocol/11-join-group.ts";
import { heartbeat } from "../../../../core/protocol/12-heartbeat.ts";
import { leaveGroup } from "../../../../core/protocol/13-leave-group.ts";
import { syncGroup } from "../../../../core/protocol/14-sync-group.ts";
import { describeGroups } from "../../../../core/protocol/15-describe-groups.ts";
import { listGroups } from "../../../../core/protocol/16-list-groups.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { deleteTopics } from "../../../../core/protocol/20-delete-topics.ts";
import { deleteGroups } from "../../../../core/protocol/42-delete-groups.ts";
import { offsetDelete } from "../../../../core/protocol/47-offset-delete.ts";
import type { Area, Draw, Facts, Step } from "../step.ts";
import { step } from "../step.ts";

/** Two, because with three Kafka's hash maps decide who leads after the leader. */
const MEMBERS = [1, 2];
/** Long enough that none expires in an episode. */
const SESSION_TIMEOUT_MS = 60_000;
/** How long one who joins waits for the others. */
const REBALANCE_TIMEOUT_MS = 2_500;
const TOPICS = ["t", "t", "u", "none"];

const groupName = ({ random }: Draw) => random.pick(["g", "g", "g", "g", "g", "h", ""]);

/** Who a request says it comes from: a member, mostly as it is. */
interface Who {
  readonly member: number;
  readonly id: "own" | "none" | "unknown" | "other";
  readonly generationStep: number;
  readonly instance: string | null;
}

function who({ random }: Draw): Who {
  const member = random.pick(MEMBERS);
  return {
    member,
    id: random.pick(["own", "own", "own", "own", "own", "own", "none", "unknown", "other"]),
    generationStep: random.pick([0, 0, 0, 0, 0, 0, 1, -1, -9]),
    instance: random.chance(12) ? random.pick(["i", "j"]) : null,
  };
}

function idOf(facts: Facts, group: string, { member, id }: Who): string {
  switch (id) {
    case "own":
      return facts.text(`${group} ${member} id`, "nobody");
    case "other":
      return facts.text(`${group} ${3 - member} id`, "nobody");
    case "none":
      return "";
    case "unknown":
      return "stranger";
  }
}

const generationOf = (facts: Facts, group: string, { member, generationStep }: Who) =>
  Math.max(-1, facts.number(`${group} ${member} generation`, 0) + generationStep);

function subscription(facts: Facts, topics: readonly string[]): Uint8Array {
  const names = topics.map((topic) => Buffer.from(facts.name(topic)));
  const encoded = names.flatMap((name) => [0, name.length, ...name]);
  return Uint8Array.from([0, 0, 0, 0, 0, topics.length, ...encoded, 255, 255, 255, 255]);
}

function join(draw: Draw, fixedMember?: number): Step {
  const { random } = draw;
  const group = fixedMember === undefined ? groupName(draw) : "g";
  const drawn = who(draw);
  const from = fixedMember === undefined
    ? { ...drawn, id: random.chance(30) ? "none" as const : drawn.id }
    : { member: fixedMember, id: "own" as const, generationStep: 0, instance: null };
  const topics = random.pick([["t"], ["t"], ["t", "u"]]);
  const protocols = random.pick([["range"], ["range"], ["range", "other"], ["other"], []]);
  const odd = fixedMember === undefined && random.chance(15);
  const protocolType = odd ? random.pick(["connect", ""]) : "consumer";
  const sessionTimeoutMs = odd ? random.pick([10, 0, -1, 99_999_999]) : SESSION_TIMEOUT_MS;
  const version = draw.version(joinGroup, 1);
  return step(joinGroup, (facts) => ({
    groupId: facts.name(group),
    memberId: from.id === "own"
      ? facts.text(`${group} ${from.member} id`, "")
      : idOf(facts, group, from),
    sessionTimeoutMs,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    groupInstanceId: version >= 5 ? from.instance : null,
    protocolType,
    protocols: (fixedMember === undefined ? protocols : ["range"]).map((name) => ({
      name,
      metadata: subscription(facts, topics),
    })),
    reason: version >= 8 ? "why" : null,
  }), {
    version,
    connection: from.member,
    mayWait: true,
    learn: ({ memberId, generationId }, facts) => {
      if (memberId === "" || memberId === "stranger" || memberId === "nobody") return;
      facts.setText(`${group} ${from.member} id`, memberId);
      if (generationId >= 0) facts.setNumber(`${group} ${from.member} generation`, generationId);
    },
  });
}

function sync(draw: Draw, fixedMember?: number): Step {
  const { random } = draw;
  const group = fixedMember === undefined ? groupName(draw) : "g";
  const from = fixedMember === undefined ? who(draw) : {
    member: fixedMember,
    id: "own" as const,
    generationStep: 0,
    instance: null,
  };
  const version = draw.version(syncGroup);
  const names = random.pick([
    { protocolType: null, protocolName: null },
    { protocolType: "consumer", protocolName: "range" },
    { protocolType: "connect", protocolName: "range" },
  ]);
  const isExact = fixedMember !== undefined;
  return step(syncGroup, (facts) => ({
    groupId: facts.name(group),
    memberId: idOf(facts, group, from),
    generationId: generationOf(facts, group, from),
    groupInstanceId: version >= 3 ? from.instance : null,
    ...(version < 5 ? {} : isExact ? { protocolType: "consumer", protocolName: "range" } : names),
    assignments: MEMBERS.map((member) => ({
      memberId: facts.text(`${group} ${member} id`, "nobody"),
      assignment: Uint8Array.of(member),
    })),
  }), { version, connection: from.member, mayWait: true });
}

function beat(draw: Draw): Step {
  const group = groupName(draw);
  const from = who(draw);
  const version = draw.version(heartbeat);
  return step(heartbeat, (facts) => ({
    groupId: facts.name(group),
    memberId: idOf(facts, group, from),
    generationId: generationOf(facts, group, from),
    groupInstanceId: version >= 3 ? from.instance : null,
  }), { version });
}

function leave(draw: Draw): Step {
  const group = groupName(draw);
  const leaving = draw.random.chance(30) ? [who(draw), who(draw)] : [who(draw)];
  const version = draw.version(leaveGroup);
  return step(leaveGroup, (facts) => {
    const ids = leaving.map((each) => idOf(facts, group, each));
    if (version < 3) return { groupId: facts.name(group), memberId: ids[0] ?? "" };
    const members = leaving.map((each, at) => ({
      memberId: ids[at] ?? "",
      groupInstanceId: each.instance,
    }));
    return { groupId: facts.name(group), members };
  }, { version });
}

const place = ({ random }: Draw) => ({
  topic: random.pick(TOPICS),
  partition: random.pick([0, 0, 1, 2, -1]),
});

function commit(draw: Draw): Step {
  const { random } = draw;
  const group = groupName(draw);
  const from = who(draw);
  const plain = random.chance(50);
  const places = [place(draw), place(draw)].slice(random.below(2));
  const committedOffset = BigInt(random.pick([0, 5, 100, -1, -2]));
  const committedMetadata = random.pick(["m", "", null, "x".repeat(5000)]);
  const version = draw.version(offsetCommit);
  return step(offsetCommit, (facts) => ({
    groupId: facts.name(group),
    generationIdOrMemberEpoch: plain ? -1 : generationOf(facts, group, from),
    memberId: plain ? "" : idOf(facts, group, from),
    groupInstanceId: version >= 7 && !plain ? from.instance : null,
    topics: places.map(({ topic, partition }) => ({
      name: facts.name(topic),
      topicId: facts.topicId(topic),
      partitions: [{ partitionIndex: partition, committedOffset, committedMetadata }],
    })),
  }), { version });
}

function readOffsets(draw: Draw): Step {
  const { random } = draw;
  const group = groupName(draw);
  const { topic, partition } = place(draw);
  const all = random.chance(40);
  const version = draw.version(offsetFetch);
  const stranger = random.chance(10);
  return step(offsetFetch, (facts) => {
    const partitionIndexes = [partition, 0];
    const name = facts.name(topic);
    if (version < 8) {
      const topics = all && version >= 2 ? null : [{ name, partitionIndexes }];
      return { groupId: facts.name(group), topics };
    }
    const topics = all ? null : [{ name, topicId: facts.topicId(topic), partitionIndexes }];
    const member = stranger && version >= 9 ? { memberId: "stranger", memberEpoch: 3 } : {};
    return { topics: [], groups: [{ groupId: facts.name(group), topics, ...member }] };
  }, { version });
}

function removeOffsets(draw: Draw): Step {
  const group = groupName(draw);
  const places = [place(draw), place(draw)].slice(draw.random.below(2));
  return step(offsetDelete, (facts) => ({
    groupId: facts.name(group),
    topics: places.map(({ topic, partition }) => ({
      name: facts.name(topic),
      partitions: [{ partitionIndex: partition }],
    })),
  }), { version: draw.version(offsetDelete) });
}

function look(draw: Draw): Step {
  const { random } = draw;
  const kind = random.below(4);
  if (kind === 0) {
    const statesFilter = random.pick([[], ["Stable"], ["empty"], ["Nonsense"], ["Dead"]]);
    const typesFilter = random.pick([[], ["classic"], ["Consumer"], ["nonsense"]]);
    const version = draw.version(listGroups);
    return step(listGroups, () => ({
      statesFilter: version >= 4 ? statesFilter : [],
      typesFilter: version >= 5 ? typesFilter : [],
    }), { version });
  }
  if (kind === 1) {
    const names = [groupName(draw), groupName(draw)];
    const version = draw.version(deleteGroups);
    return step(deleteGroups, (facts) => ({
      groupsNames: names.map((name) => facts.name(name)),
    }), { version });
  }
  const groups = [groupName(draw), ...(random.chance(20) ? ["none"] : [])];
  const includeAuthorizedOperations = random.chance(30);
  const version = draw.version(describeGroups);
  return step(describeGroups, (facts) => ({
    groups: groups.map((name) => facts.name(name)),
    includeAuthorizedOperations: version >= 3 && includeAuthorizedOperations,
  }), { version });
}

function coordinator(draw: Draw): Step {
  const { random } = draw;
  const version = draw.version(findCoordinator);
  const keyType = version >= 1 ? random.pick([0, 0, 0, 3, -1]) : 0;
  const keys = random.pick([["g"], ["g", "h"], [""], []]);
  return step(
    findCoordinator,
    (facts) =>
      version >= 4
        ? { keyType, coordinatorKeys: keys.map((key) => facts.name(key)) }
        : { keyType, key: facts.name(keys[0] ?? "") },
    { version },
  );
}

function deletion(draw: Draw): Step {
  return step(
    deleteTopics,
    (facts) => ({ topicNames: [facts.name("u")], timeoutMs: 10_000 }),
    { version: draw.lastVersion(deleteTopics, 5), changesMetadata: true },
  );
}

export const classicGroups: Area = {
  name: "classic-groups",
  needs: [joinGroup, syncGroup, heartbeat, leaveGroup, offsetCommit, offsetFetch],
  setUp: (draw) => [
    step(createTopics, (facts) => ({
      topics: ["t", "u"].map((name) => ({
        name: facts.name(name),
        numPartitions: 2,
        replicationFactor: 1,
      })),
      timeoutMs: 10_000,
    }), { version: draw.lastVersion(createTopics), changesMetadata: true }),
  ],
  next: (draw) => {
    const kind = draw.random.below(100);
    if (kind < 10) {
      return [join(draw, 1), join(draw, 2), join(draw, 1), sync(draw, 1), sync(draw, 2)];
    }
    if (kind < 16) return [join(draw, 1), join(draw, 1), sync(draw, 1)];
    if (kind < 26) return [join(draw)];
    if (kind < 33) return [sync(draw)];
    if (kind < 43) return [beat(draw)];
    if (kind < 50) return [leave(draw)];
    if (kind < 68) return [commit(draw)];
    if (kind < 80) return [readOffsets(draw)];
    if (kind < 85) return [removeOffsets(draw)];
    if (kind < 96) return [look(draw)];
    if (kind < 99) return [coordinator(draw)];
    return [deletion(draw)];
  },
};
