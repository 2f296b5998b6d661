/** All that is played with clusters of real processes; see `stage.ts`. */
import { appendWork } from "./append-work.ts";
import { FULL_DISK } from "./full-disk.ts";
import { LAN_ARGS, LAN_FAULTS } from "./lan.ts";
import { FAULTS } from "./scenarios.ts";
import type { Act } from "./stage.ts";

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
  FULL_DISK,
];
