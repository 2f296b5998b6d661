import { expect, test } from "bun:test";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import {
  decodeTaskAssignment,
  decodeTaskSubscription,
  encodeTaskAssignment,
  encodeTaskSubscription,
  RUNNING,
  type SaidAssignment,
  type SaidSubscription,
} from "./assignor-messages.ts";

const said: SaidSubscription = {
  processId: "3b2f",
  shape: 0xfedc_ba98,
  threads: 2,
  tags: { zone: "eu-1a", cluster: "k8s" },
  wantsShutdown: false,
  endpoint: "10.0.0.1:8090",
  ownedActive: ["0_0", "0_17", "2_1"],
  ownedStandby: ["1_3"],
  awaited: ["1_3", "1_4"],
  positions: new Map([["0_0", RUNNING], ["1_3", 2n ** 60n], ["4_0", 0n]]),
};
const told: SaidAssignment = {
  error: null,
  shape: 0x1234_5678,
  probeAfterMs: 600_000,
  active: ["0_0", "10_2"],
  standby: ["1_0"],
  warmup: ["1_1"],
  awaited: [],
  hosts: [{ endpoint: "10.0.0.1:8090", active: ["0_0"], standby: ["1_0", "1_2"] }],
};

test("what members say and are told comes back as it was", () => {
  expect(decodeTaskSubscription(encodeTaskSubscription(said))).toEqual(said);
  const empty = {
    ...said,
    endpoint: null,
    tags: {},
    ownedActive: [],
    ownedStandby: [],
    positions: new Map(),
  };
  expect(decodeTaskSubscription(encodeTaskSubscription(empty))).toEqual(empty);
  for (const error of [null, "missing-source-topics", "assignment-failed", "shutdown-requested"]) {
    const each = { ...told, error: error as SaidAssignment["error"], probeAfterMs: null };
    expect(decodeTaskAssignment(encodeTaskAssignment(each))).toEqual(each);
  }
  expect(decodeTaskAssignment(encodeTaskAssignment(told))).toEqual(told);
});

test("bytes that say something else are nothing, whatever they are", () => {
  expect(decodeTaskSubscription(null)).toBeNull();
  expect(decodeTaskAssignment(new Uint8Array(0))).toBeNull();
  for (const threads of [0, -1]) {
    expect(decodeTaskSubscription(encodeTaskSubscription({ ...said, threads }))).toBeNull();
  }
  const positions = new Map([["0_0", -3n]]);
  expect(decodeTaskSubscription(encodeTaskSubscription({ ...said, positions }))).toBeNull();
  const negative = { ...told, active: ["0_-1"] };
  expect(decodeTaskAssignment(encodeTaskAssignment(negative))).toBeNull();
  const pairs = [
    [encodeTaskSubscription(said), decodeTaskSubscription],
    [encodeTaskAssignment(told), decodeTaskAssignment],
  ] as const;
  const random = new SimRandom(7);
  for (const [bytes, decode] of pairs) {
    for (let length = 0; length < bytes.length; length++) {
      expect(decode(bytes.subarray(0, length))).toBeNull();
    }
    const newer = bytes.slice();
    newer[1]!++;
    expect(decode(newer)).toBeNull();
    for (let i = 0; i < 5_000; i++) {
      const damaged = bytes.slice();
      for (let n = random.between(1, 4); n > 0; n--) {
        damaged[random.below(damaged.length)] = random.below(256);
      }
      // Nothing but a value comes back.
      expect(() => decode(damaged)).not.toThrow();
    }
  }
});
