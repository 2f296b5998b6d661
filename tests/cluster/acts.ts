/** All that is played with clusters of real processes; see `stage.ts`. */
import { appendWork } from "./append-work.ts";
import { FULL_DISK } from "./full-disk.ts";
import { groupsWork } from "./groups-workload.ts";
import { LAN_ARGS, LAN_FAULTS } from "./lan.ts";
import { listsWork } from "./lists-workload.ts";
import { CLOCKS, FAULTS, FAULTS_OF_LONG_WORK, TWO_OF_FIVE } from "./scenarios.ts";
import type { Act } from "./stage.ts";

/** Groups notice in time who is gone. */
const GROUP_SESSIONS = [
  ...["--set", "group.consumer.min.session.timeout.ms=6000"],
  ...["--set", "group.consumer.session.timeout.ms=6000"],
];

export const ACTS: readonly Act[] = [
  {
    name: "appends",
    cluster: { brokers: 3, etcdMembers: 3 },
    prepare: appendWork,
    steady: 30,
    scenarios: FAULTS,
  },
  {
    name: "timings lan",
    cluster: { brokers: 3, etcdMembers: 3, args: LAN_ARGS },
    prepare: appendWork,
    steady: 30,
    scenarios: LAN_FAULTS,
  },
  {
    name: "transactions",
    cluster: { brokers: 3, etcdMembers: 3, args: GROUP_SESSIONS },
    prepare: listsWork,
    steady: 5,
    scenarios: FAULTS_OF_LONG_WORK,
  },
  {
    name: "groups",
    cluster: { brokers: 3, etcdMembers: 3, args: GROUP_SESSIONS },
    prepare: groupsWork,
    steady: 3,
    scenarios: FAULTS_OF_LONG_WORK,
  },
  {
    name: "five brokers",
    cluster: { brokers: 5, etcdMembers: 3 },
    prepare: (scene, topic) =>
      appendWork(scene, topic, { replicationFactor: 5, minInsyncReplicas: 3 }),
    steady: 20,
    scenarios: TWO_OF_FIVE,
  },
  {
    name: "clocks",
    cluster: { brokers: 3, etcdMembers: 3, args: GROUP_SESSIONS, hasClocks: true },
    prepare: listsWork,
    steady: 5,
    scenarios: CLOCKS,
  },
  FULL_DISK,
];
