/**
 * Groups of the consumer protocol (KIP-848): two members that join, beat and leave, with epochs and
 * ids that are theirs and such as are not, and commits by member epoch.
 */
import { offsetCommit } from "../../../../core/protocol/08-offset-commit.ts";
import { offsetFetch } from "../../../../core/protocol/09-offset-fetch.ts";
import { heartbeat } from "../../../../core/protocol/12-heartbeat.ts";
import { describeGroups } from "../../../../core/protocol/15-describe-groups.ts";
import { listGroups } from "../../../../core/protocol/16-list-groups.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { deleteGroups } from "../../../../core/protocol/42-delete-groups.ts";
import { offsetDelete } from "../../../../core/protocol/47-offset-delete.ts";
import { consumerGroupHeartbeat } from "../../../../core/protocol/68-consumer-group-heartbeat.ts";
import { consumerGroupDescribe } from "../../../../core/protocol/69-consumer-group-describe.ts";
import type { Area, Draw, Facts, Step } from "../step.ts";
import { step } from "../step.ts";

const REBALANCE_TIMEOUT_MS = 60_000;
/** Chosen by the client, so that both brokers order the members alike. */
const MEMBER_IDS = ["AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBB"];

const groupName = ({ random }: Draw) => random.pick(["g", "g", "g", "g", "g", "h", ""]);

/** Who a request says it comes from. */
interface Who {
  readonly member: number;
  readonly id: string;
  readonly epochStep: number;
}

function who({ random }: Draw): Who {
  const member = random.pick([0, 0, 1]);
  const own = MEMBER_IDS[member] ?? "";
  return {
    member,
    id: random.pick([own, own, own, own, own, own, own, "stranger", ""]),
    epochStep: random.pick([0, 0, 0, 0, 0, 0, 0, 1, -1, 7]),
  };
}

const epochOf = (facts: Facts, group: string, { member, epochStep }: Who) =>
  Math.max(0, facts.number(`${group} ${member} epoch`, 0) + epochStep);

function beat(draw: Draw, kind: "join" | "stay" | "leave" | "odd"): Step {
  const { random } = draw;
  const group = kind === "odd" ? groupName(draw) : "g";
  const drawn = who(draw);
  const from = kind === "odd"
    ? drawn
    : { member: drawn.member, id: MEMBER_IDS[drawn.member] ?? "", epochStep: 0 };
  const version = draw.version(consumerGroupHeartbeat, 1);
  const isFull = kind === "join" || kind === "odd" && random.chance(50);
  const topics = random.pick([["t"], ["t"], ["t"], ["u"], ["t", "u"], ["none"], []]);
  const serverAssignor = random.pick([null, null, null, "range", "uniform", "nonsense"]);
  const regex = random.chance(8) ? random.pick(["(", "no-topic-.*"]) : null;
  const rebalanceTimeoutMs = random.pick([60_000, 60_000, 60_000, 0, -2]);
  const oddEpoch = kind === "odd" && random.chance(25) ? random.pick([0, -1, -2, -3]) : null;
  const owns = kind !== "stay" || random.chance(70);
  return step(consumerGroupHeartbeat, (facts) => {
    const epoch = kind === "join" ? 0 : kind === "leave" ? -1 : epochOf(facts, group, from);
    const full = {
      rebalanceTimeoutMs: kind === "odd" ? rebalanceTimeoutMs : REBALANCE_TIMEOUT_MS,
      subscribedTopicNames: topics.map((topic) => facts.name(topic)),
      subscribedTopicRegex: regex,
      serverAssignor: kind === "odd" ? serverAssignor : null,
      topicPartitions: [],
    };
    return {
      groupId: facts.name(group),
      memberId: from.id,
      memberEpoch: oddEpoch ?? epoch,
      ...(isFull ? full : {}),
      ...(kind === "stay" && owns ? { topicPartitions: owned(facts, group, from.member) } : {}),
    };
  }, {
    version,
    learn: ({ errorCode, memberEpoch, assignment }, facts) => {
      if (errorCode !== 0) return;
      const member = MEMBER_IDS.indexOf(from.id);
      if (member < 0) return;
      facts.setNumber(`${group} ${member} epoch`, Math.max(0, memberEpoch));
      if (memberEpoch <= 0) facts.setText(`${group} ${member} owns`, "");
      if (assignment === null) return;
      const text = assignment.topicPartitions.map(({ topicId, partitions }) =>
        `${topicId}:${partitions.join(".")}`
      );
      facts.setText(`${group} ${member} owns`, text.join(" "));
    },
  });
}

/** What the member was last assigned, as it would say that it owns it. */
function owned(facts: Facts, group: string, member: number) {
  const text = facts.text(`${group} ${member} owns`, "");
  return text.split(" ").filter((each) => each !== "").map((each) => {
    const [topicId = "", partitions = ""] = each.split(":");
    return { topicId, partitions: partitions.split(".").map(Number) };
  });
}

function commit(draw: Draw): Step {
  const { random } = draw;
  const group = groupName(draw);
  const from = who(draw);
  const plain = random.chance(25);
  const topic = random.pick(["t", "t", "u", "none"]);
  const partitionIndex = random.pick([0, 0, 1, 7]);
  const version = draw.version(offsetCommit);
  return step(offsetCommit, (facts) => ({
    groupId: facts.name(group),
    generationIdOrMemberEpoch: plain ? -1 : epochOf(facts, group, from),
    memberId: plain ? "" : from.id,
    topics: [{
      name: facts.name(topic),
      topicId: facts.topicId(topic),
      partitions: [{ partitionIndex, committedOffset: 5n, committedMetadata: "m" }],
    }],
  }), { version });
}

function readOffsets(draw: Draw): Step {
  const { random } = draw;
  const group = groupName(draw);
  const from = who(draw);
  const plain = random.chance(40);
  const topic = random.pick(["t", "t", "none"]);
  const version = draw.version(offsetFetch, 8);
  return step(offsetFetch, (facts) => ({
    topics: [],
    groups: [{
      groupId: facts.name(group),
      topics: [{
        name: facts.name(topic),
        topicId: facts.topicId(topic),
        partitionIndexes: [0, 1],
      }],
      ...(plain || version < 9
        ? {}
        : { memberId: from.id, memberEpoch: epochOf(facts, group, from) }),
    }],
  }), { version });
}

function look(draw: Draw): Step {
  const { random } = draw;
  const names = [groupName(draw), ...(random.chance(25) ? ["none"] : [])];
  switch (random.below(6)) {
    case 0:
      return step(describeGroups, (facts) => ({
        groups: names.map((name) => facts.name(name)),
      }), { version: draw.version(describeGroups) });
    case 1: {
      const version = draw.version(listGroups, 5);
      const statesFilter = random.pick([[], ["Stable"], ["empty"], ["Reconciling"]]);
      const typesFilter = random.pick([[], ["classic"], ["Consumer"]]);
      return step(listGroups, () => ({ statesFilter, typesFilter }), { version });
    }
    case 2:
      return step(deleteGroups, (facts) => ({
        groupsNames: names.map((name) => facts.name(name)),
      }), { version: draw.version(deleteGroups) });
    case 3: {
      const from = who(draw);
      return step(heartbeat, (facts) => ({
        groupId: facts.name(names[0] ?? ""),
        memberId: from.id,
        generationId: epochOf(facts, names[0] ?? "", from),
      }), { version: draw.version(heartbeat) });
    }
    case 4: {
      const topic = random.pick(["t", "u", "none"]);
      return step(offsetDelete, (facts) => ({
        groupId: facts.name(names[0] ?? ""),
        topics: [{ name: facts.name(topic), partitions: [{ partitionIndex: 0 }] }],
      }), { version: draw.version(offsetDelete) });
    }
    default: {
      const includeAuthorizedOperations = random.chance(30);
      return step(consumerGroupDescribe, (facts) => ({
        groupIds: names.map((name) => facts.name(name)),
        includeAuthorizedOperations,
      }), { version: draw.version(consumerGroupDescribe) });
    }
  }
}

export const consumerGroups: Area = {
  name: "consumer-groups",
  needs: [consumerGroupHeartbeat, consumerGroupDescribe],
  setUp: (draw) => [
    step(createTopics, (facts) => ({
      topics: ["t", "u"].map((name) => ({
        name: facts.name(name),
        numPartitions: 2,
        replicationFactor: 1,
      })),
      timeoutMs: 10_000,
    }), { version: draw.lastVersion(createTopics), changesMetadata: true }),
    beat(draw, "join"),
  ],
  next: (draw) => {
    const kind = draw.random.below(100);
    if (kind < 12) return [beat(draw, "join")];
    if (kind < 35) return [beat(draw, "stay"), beat(draw, "stay")];
    if (kind < 41) return [beat(draw, "leave")];
    if (kind < 58) return [beat(draw, "odd")];
    if (kind < 72) return [commit(draw)];
    if (kind < 82) return [readOffsets(draw)];
    return [look(draw)];
  },
};
