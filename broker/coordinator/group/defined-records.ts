/**
 * Records whose form in memory is their definition: key and value as they are decoded. Consumer,
 * share and streams groups use them; `RecordsOf` gives the union, `definedRecordCodec` the bytes.
 */
import {
  decodeData,
  decodePrefix,
  decodeVersioned,
  encodePrefixed,
  encodeVersioned,
} from "../../../core/protocol/codec.ts";
import {
  type CoordinatorRecord,
  type DataOf,
  parseVersions,
} from "../../../core/protocol/schema.ts";
import type { RecordCodec } from "../shard.ts";

/** Definitions by the name that records have in memory. */
export type RecordDefinitions = Readonly<Record<string, CoordinatorRecord>>;

/** The union of the records of the definitions; a null value removes what the key names. */
export type RecordsOf<T extends RecordDefinitions> = {
  [K in keyof T & string]: {
    readonly type: K;
    readonly key: DataOf<T[K]["key"]>;
    readonly value: DataOf<T[K]["value"]> | null;
  };
}[keyof T & string];

const KEY_VERSION = 0;

/** Writes the latest version of each value. May throw a `ProtocolError` on decoding. */
export function definedRecordCodec<T extends RecordDefinitions>(
  definitions: T,
): RecordCodec<RecordsOf<T>> {
  const byType = new Map(
    Object.entries(definitions).map(([name, each]) => [each.type, { name, definition: each }]),
  );
  return {
    encode: ({ type, key, value }) => {
      const definition: CoordinatorRecord = definitions[type]!;
      const { max } = parseVersions(definition.value.versions);
      return {
        key: encodePrefixed(definition.key, definition.type, KEY_VERSION, key),
        value: value === null ? null : encodeVersioned(definition.value, max, value),
      };
    },
    decode: (key, value) => {
      const known = byType.get(decodePrefix(key));
      if (known === undefined) return null;
      const { name, definition } = known;
      // A copy, so that what is kept of a record keeps no read buffer in memory.
      return {
        type: name,
        key: decodeData(definition.key, KEY_VERSION, key, 2),
        value: value === null ? null : decodeVersioned(definition.value, value.slice()),
        // The definition of that name has just decoded it, which is all that the type says.
      } as RecordsOf<T>;
    },
  };
}
