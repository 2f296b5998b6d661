import { expect, test } from "bun:test";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { Envelope, ENVELOPE_BYTES } from "./envelope.ts";

const random = new SimRandom(1);
const [OLD, NEW, OTHER] = [random.bytes(16), random.bytes(32), random.bytes(24)];
const PAYLOAD = random.bytes(300);
const envelope = (keys: Uint8Array[], context = "test") => new Envelope(context, keys, random);

for (const keys of [[], [OLD], [NEW], [OTHER]]) {
  const bits = (keys[0]?.length ?? 0) * 8;
  test(`what was sealed with ${bits} bits opens, and nothing that was touched`, () => {
    const [sender, receiver] = [envelope(keys), envelope(keys)];
    const sealed = sender.seal(PAYLOAD);
    expect(sealed.length).toBe(PAYLOAD.length + sender.overheadBytes);
    expect(sender.overheadBytes).toBeLessThanOrEqual(ENVELOPE_BYTES);
    for (let at = 0; at < sealed.length; at++) {
      const touched = sealed.slice();
      touched[at]! ^= 1 << random.below(8);
      expect(typeof receiver.open(touched)).toBe("string");
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(typeof receiver.open(sealed.subarray(0, length))).toBe("string");
    }
    expect(receiver.open(sealed)).toEqual(PAYLOAD);
    expect(receiver.open(sender.seal(new Uint8Array()))).toEqual(new Uint8Array());
  });
}

test("strangers are told apart", () => {
  const receiver = envelope([NEW]);
  expect(receiver.open(envelope([NEW], "other").seal(PAYLOAD))).toBe("network");
  expect(receiver.open(envelope([OTHER]).seal(PAYLOAD))).toBe("key");
  expect(receiver.open(envelope([]).seal(PAYLOAD))).toBe("key");
  expect(envelope([]).open(envelope([NEW]).seal(PAYLOAD))).toBe("key");
  expect(receiver.open(random.bytes(100))).toBe("malformed");
  expect(receiver.open(new Uint8Array())).toBe("malformed");
  const later = envelope([NEW]).seal(PAYLOAD);
  later[1] = 2;
  expect(receiver.open(later)).toBe("version");
});

test("keys are changed one member after the other without a gap", () => {
  const members = [1, 2, 3].map(() => envelope([OLD]));
  const allUnderstand = () => {
    for (const one of members) {
      for (const other of members) expect(other.open(one.seal(PAYLOAD))).toEqual(PAYLOAD);
    }
  };
  for (const keys of [[OLD, NEW], [NEW, OLD], [NEW]]) {
    for (const member of members) {
      member.setKeys(keys);
      allUnderstand();
    }
  }
  expect(members[0]!.open(envelope([OLD]).seal(PAYLOAD))).toBe("key");
});

test("each packet is taken once, in any order, and none that is very old", () => {
  const [sender, receiver] = [envelope([NEW]), envelope([NEW])];
  const packets = Array.from({ length: 3_000 }, () => sender.seal(PAYLOAD));
  const open = (at: number) => receiver.open(packets[at]!);
  for (const at of [0, 5, 3, 1_000, 4, 1_023]) expect(open(at)).toEqual(PAYLOAD);
  for (const at of [0, 5, 3, 1_000, 4, 1_023]) expect(open(at)).toBe("replayed");
  expect(open(2_999)).toEqual(PAYLOAD);
  for (const at of [6, 1_000, 1_975]) expect(open(at)).toBe("replayed");
  expect(open(1_976)).toEqual(PAYLOAD);
  expect(open(2_998)).toEqual(PAYLOAD);
  expect(open(2_998)).toBe("replayed");
  // Another sender counts for itself.
  expect(receiver.open(envelope([NEW]).seal(PAYLOAD))).toEqual(PAYLOAD);
});

test("no bytes make it throw", () => {
  const [plain, sealed] = [envelope([]), envelope([NEW, OLD])];
  for (let round = 0; round < 5_000; round++) {
    const bytes = random.bytes(random.below(80));
    if (random.chance(50)) bytes.set(sealed.seal(PAYLOAD).subarray(0, Math.min(12, bytes.length)));
    expect(typeof plain.open(bytes)).toBe("string");
    expect(typeof sealed.open(bytes)).toBe("string");
  }
});

test("keys that cannot be used are refused in a sentence", () => {
  expect(() => envelope([new Uint8Array(17)])).toThrow("it has 17 bytes");
  expect(() => envelope(Array.from({ length: 9 }, () => NEW))).toThrow("at most 8 are possible");
});
