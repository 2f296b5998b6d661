/**
 * Changes of tables as values of a repartition topic (Kafka's `ChangedSerializer`, KIP-904):
 *
 *     old value, 0
 *     new value, 1
 *     length of the new value (zigzag varint), new value, old value, 2
 */
import type { Serde } from "../serdes/serde.ts";
import type { Change } from "./change.ts";

const OLD = 0;
const NEW = 1;
const BOTH = 2;

/** A varint of a length, which is never negative: doubled, as zigzag has it. */
function varint(length: number): number[] {
  const bytes: number[] = [];
  let rest = length * 2;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

/** The length that begins there, and where it ends. Throws where it is none. */
function readVarint(bytes: Uint8Array): readonly [length: number, end: number] {
  let value = 0;
  for (let at = 0; at < 5 && at < bytes.length; at++) {
    const byte = bytes[at]!;
    value += (byte & 0x7f) * 128 ** at;
    if (byte < 0x80) return [value / 2, at + 1];
  }
  throw new Error("the change does not begin with a length");
}

/** A serde of changes of values that `inner` writes. */
export function changedSerde<V>(inner: Serde<V>): Serde<Change<V>> {
  return {
    name: `change of ${inner.name ?? "other"}`,
    serialize({ newValue, oldValue }, topic) {
      const parts: Uint8Array[] = [];
      const newBytes = newValue === null ? null : inner.serialize(newValue, topic);
      if (newBytes !== null) parts.push(newBytes);
      if (oldValue !== null) parts.push(inner.serialize(oldValue, topic));
      if (parts.length === 0) throw new Error("a change without values says nothing");
      const isBoth = parts.length === 2;
      const flag = isBoth ? BOTH : newBytes !== null ? NEW : OLD;
      const length = isBoth ? [Uint8Array.from(varint(newBytes!.length))] : [];
      return Buffer.concat([...length, ...parts, Uint8Array.of(flag)]);
    },
    deserialize(bytes, topic) {
      const flag = bytes.at(-1);
      const data = bytes.subarray(0, -1);
      if (flag === NEW) return { newValue: inner.deserialize(data, topic), oldValue: null };
      if (flag === OLD) return { newValue: null, oldValue: inner.deserialize(data, topic) };
      if (flag !== BOTH) throw new Error(`a change of kind ${flag} is not known`);
      const [length, at] = readVarint(data);
      if (!Number.isInteger(length) || at + length > data.length) {
        throw new Error(`the change says that its new value has ${length} bytes`);
      }
      return {
        newValue: inner.deserialize(data.subarray(at, at + length), topic),
        oldValue: inner.deserialize(data.subarray(at + length), topic),
      };
    },
  };
}
