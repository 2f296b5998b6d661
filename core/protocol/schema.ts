/**
 * The language in which `core/protocol/NN-name.ts` describes messages: plain objects, from which
 * the types of decoded messages are inferred and the codecs are compiled (`compile.ts`).
 *
 * Version ranges are written as in Kafka's own schemas: `"3+"`, `"0-12"`, `"4"`, `"none"`. A field
 * that a version lacks is decoded as its default, never as `undefined`; and when it is to be
 * encoded with another value, the encoder throws, unless the field is `ignorable`.
 */

import type { Chunk } from "../io.ts";

/** A range of versions: `"3+"`, `"0-12"`, `"4"` or `"none"`. */
export type Versions = string;

/** Primitive types of the wire and what they are in TypeScript. */
export interface Primitives {
  bool: boolean;
  int8: number;
  int16: number;
  int32: number;
  /** Big, because every value must survive. */
  int64: bigint;
  uint16: number;
  uint32: number;
  float64: number;
  /** UTF-8, at most 32,767 bytes. */
  string: string;
  /** 16 bytes in Kafka's base64url form, 22 characters. */
  uuid: string;
  /** A view into the message where it was decoded. */
  bytes: Uint8Array;
  /** Record batches as they are on the wire and on disk; a view into the message. */
  records: Uint8Array;
}

/** The name of a primitive type. */
export type PrimitiveName = keyof Primitives;

/** Options that every field may have. */
export interface FieldOptions<D> {
  /** Versions in which null may stand on the wire. */
  readonly nullable?: Versions;
  /** Value where the version lacks the field; else zero, empty or false. */
  readonly default?: D | null;
  /** Number of the tagged field (KIP-482); left out of the message while it is the default. */
  readonly tag?: number;
  /** A version that lacks the field drops the value instead of refusing the message. */
  readonly ignorable?: boolean;
  /** Overrides the message's flexible versions; only the request header needs it. */
  readonly flexible?: Versions;
}

/**
 * One field. `D` is its decoded type and `E` what the encoder accepts; both exist for the type
 * checker only.
 */
export interface Field<D = unknown, E = unknown> {
  readonly type: PrimitiveName | "struct" | "array";
  readonly versions: Versions;
  readonly nullable?: Versions;
  readonly default?: unknown;
  readonly tag?: number;
  readonly ignorable?: boolean;
  readonly flexible?: Versions;
  /** Elements of an array: a primitive or the fields of a struct. */
  readonly items?: PrimitiveName | Fields;
  /** Fields of a struct. */
  readonly fields?: Fields;
  readonly decodedType?: D;
  readonly encodableType?: E;
}

/** The fields of a message or struct, in the order of the wire. */
export interface Fields {
  readonly [name: string]: Field;
}

/** A tagged field that this program does not know; it is kept and written again. */
export interface UnknownTag {
  readonly tag: number;
  readonly bytes: Uint8Array;
}

/** A struct as it is decoded: every field has a value. */
export type Decoded<F extends Fields> =
  & { readonly [K in keyof F]: F[K] extends Field<infer D, infer _> ? D : never }
  & { readonly unknownTags?: readonly UnknownTag[] };

/** A struct as the encoder takes it: a field left out has its default. */
export type Encodable<F extends Fields> =
  & { readonly [K in keyof F]?: F[K] extends Field<infer _, infer E> ? E : never }
  & { readonly unknownTags?: readonly UnknownTag[] };

type NoOptions = Record<never, never>;
type OrNull<T, O> = O extends { readonly nullable: Versions } ? T | null : T;
type Item<I, Side extends "decoded" | "encodable"> = I extends PrimitiveName ? Primitives[I]
  : I extends Fields ? (Side extends "decoded" ? Decoded<I> : Encodable<I>)
  : never;

/** What the encoder takes for a primitive: records may also be a region of a file. */
type EncodablePrimitive<T extends PrimitiveName> = T extends "records" ? Chunk : Primitives[T];

type PrimitiveField<T extends PrimitiveName, O> = Field<
  OrNull<Primitives[T], O>,
  OrNull<EncodablePrimitive<T>, O>
>;

function primitive<T extends PrimitiveName>(type: T) {
  return <const O extends FieldOptions<Primitives[T]> = NoOptions>(
    versions: Versions,
    options?: O,
  ): PrimitiveField<T, O> => ({ type, versions, ...options });
}

export const bool = primitive("bool");
export const int8 = primitive("int8");
export const int16 = primitive("int16");
export const int32 = primitive("int32");
export const int64 = primitive("int64");
export const uint16 = primitive("uint16");
export const uint32 = primitive("uint32");
export const float64 = primitive("float64");
export const string = primitive("string");
export const uuid = primitive("uuid");
export const bytes = primitive("bytes");
export const records = primitive("records");

/** A struct in a field of its own. Its default is the struct of its fields' defaults. */
export function struct<F extends Fields, const O extends FieldOptions<never> = NoOptions>(
  versions: Versions,
  fields: F,
  options?: O,
): Field<OrNull<Decoded<F>, O>, OrNull<Encodable<F>, O>> {
  return { type: "struct", versions, fields, ...options };
}

/** An array of primitives (`array("0+", "int32")`) or of structs. Its default is empty. */
export function array<
  I extends PrimitiveName | Fields,
  const O extends FieldOptions<never> = NoOptions,
>(
  versions: Versions,
  items: I,
  options?: O,
): Field<OrNull<readonly Item<I, "decoded">[], O>, OrNull<readonly Item<I, "encodable">[], O>> {
  return { type: "array", versions, items, ...options };
}

/** One message: a request, a response, a header, or the key or value of a record. */
export interface Message<F extends Fields = Fields> {
  readonly name: string;
  /** Versions that can be coded. */
  readonly versions: Versions;
  /** Versions with compact lengths and tagged fields (KIP-482). */
  readonly flexible: Versions;
  readonly fields: F;
}

/** A request and its response. */
export interface Api<Req extends Fields = Fields, Res extends Fields = Fields> {
  readonly key: number;
  readonly name: string;
  /** Versions that can be coded. */
  readonly versions: Versions;
  /** Versions with compact lengths and tagged fields (KIP-482), and with flexible headers. */
  readonly flexible: Versions;
  readonly minVersion: number;
  /** The last version that may be advertised: an unstable one (Kafka's term) is not counted. */
  readonly maxVersion: number;
  readonly request: Message<Req>;
  readonly response: Message<Res>;
}

/** Defines an API. `unstable` says that Kafka may still change the last version. */
export function api<Req extends Fields, Res extends Fields>(definition: {
  readonly key: number;
  readonly name: string;
  readonly versions: Versions;
  readonly flexible: Versions;
  readonly unstable?: boolean;
  readonly request: Req;
  readonly response: Res;
}): Api<Req, Res> {
  const { key, name, versions, flexible } = definition;
  const { min, max } = parseVersions(versions);
  return {
    key,
    name,
    versions,
    flexible,
    minVersion: min,
    maxVersion: definition.unstable ? max - 1 : max,
    request: { name: `${name}Request`, versions, flexible, fields: definition.request },
    response: { name: `${name}Response`, versions, flexible, fields: definition.response },
  };
}

/** Defines a message that is no request or response. */
export function data<F extends Fields>(definition: Message<F>): Message<F> {
  return definition;
}

/**
 * A record of a coordinator's internal topic. On disk, the key is an int16 record type and the key
 * message; the value is an int16 version and the value message, or null where the record deletes.
 */
export interface CoordinatorRecord<K extends Fields = Fields, V extends Fields = Fields> {
  readonly type: number;
  readonly name: string;
  readonly key: Message<K>;
  readonly value: Message<V>;
}

/** Defines a record of a coordinator; versions are those of the value, keys have version 0 only. */
export function coordinatorRecord<K extends Fields, V extends Fields>(definition: {
  readonly type: number;
  readonly name: string;
  readonly versions: Versions;
  readonly flexible: Versions;
  readonly key: K;
  readonly value: V;
}): CoordinatorRecord<K, V> {
  const { type, name, versions, flexible } = definition;
  return {
    type,
    name,
    key: { name: `${name}Key`, versions: "0", flexible: "none", fields: definition.key },
    value: { name: `${name}Value`, versions, flexible, fields: definition.value },
  };
}

/** A decoded request of an API: `RequestOf<typeof produce>`. */
export type RequestOf<A extends Api> = Decoded<A["request"]["fields"]>;
/** A decoded response of an API. */
export type ResponseOf<A extends Api> = Decoded<A["response"]["fields"]>;
/** What can be encoded as a request: fields that are left out have their defaults. */
export type EncodableRequest<A extends Api> = Encodable<A["request"]["fields"]>;
/** What can be encoded as a response: fields that are left out have their defaults. */
export type EncodableResponse<A extends Api> = Encodable<A["response"]["fields"]>;
/** A decoded message that is no request or response. */
export type DataOf<M extends Message> = Decoded<M["fields"]>;
/** What can be encoded as such a message. */
export type EncodableData<M extends Message> = Encodable<M["fields"]>;

/** The topic id that is none (Kafka's `Uuid.ZERO_UUID`). */
export const ZERO_UUID = "AAAAAAAAAAAAAAAAAAAAAA";

/** The highest version that a range without an end can hold. */
export const LAST_VERSION = 32_767;

/** The bounds of a range of versions, both inclusive; `max` is below `min` for "none". */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** Ranges that were parsed; there are few, all of them in the definitions. */
const parsed = new Map<Versions, VersionRange>();

/** Parses a range of versions of a definition. */
export function parseVersions(versions: Versions): VersionRange {
  let range = parsed.get(versions);
  if (range === undefined) {
    range = Object.freeze(parseRange(versions));
    parsed.set(versions, range);
  }
  return range;
}

function parseRange(versions: Versions): VersionRange {
  if (versions === "none") return { min: 0, max: -1 };
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(versions);
  if (match === null) throw new TypeError(`not a range of versions: ${versions}`);
  const min = Number(match[1]);
  if (match[2] !== undefined) return { min, max: LAST_VERSION };
  return { min, max: match[3] === undefined ? min : Number(match[3]) };
}
