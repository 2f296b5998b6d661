/** Random records, configs and texts, from a seed. */
import { SimRandom } from "../../sim/sim-random.ts";

/** A value as JSON; with `schemas` in an envelope. Null: nothing at all. */
export interface CaseData {
  readonly schemas: boolean;
  readonly json: string | null;
}

export interface CaseRecord {
  readonly topic: string;
  readonly partition: number | null;
  readonly timestamp: number | null;
  /** Null: the record is a source's. */
  readonly offset: number | null;
  readonly key: CaseData;
  readonly value: CaseData;
  readonly headers: readonly (CaseData & { readonly name: string })[];
}

type Config = Readonly<Record<string, string>>;

/** One question to Kafka's classes and to ours. */
export type Case =
  | {
    readonly kind: "transform" | "predicate";
    readonly class: string;
    readonly config: Config;
    readonly record: CaseRecord;
  }
  | {
    readonly kind: "read";
    readonly class: string;
    readonly config: Config;
    readonly bytes: string;
  }
  | {
    readonly kind: "write";
    readonly class: string;
    readonly config: Config;
    readonly data: CaseData;
  }
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "text"; readonly data: CaseData };

const NAMES = ["a", "b", "c", "d", "e.f", "__proto__", "constructor"];
const LOGICAL = "org.apache.kafka.connect.data.";
const CONVERTERS = "org.apache.kafka.connect.converters.";
const TRANSFORMS = "org.apache.kafka.connect.transforms.";

/** A schema as JSON, and payloads that fit it. */
interface Typed {
  readonly schema: { [name: string]: unknown };
  payload(): string;
}

/** Draws cases. */
export class Cases {
  readonly #random: SimRandom;

  constructor(seed: number) {
    this.#random = new SimRandom(seed);
  }

  next(): Case {
    const random = this.#random;
    switch (random.below(20)) {
      case 0:
      case 1:
        return this.#read();
      case 2:
      case 3:
        return this.#write();
      case 4:
      case 5:
        return { kind: "literal", text: this.#literal(0) };
      case 6:
        return { kind: "text", data: this.#data(true) };
      case 7:
        return this.#predicate();
      default:
        return this.#transform();
    }
  }

  #name(): string {
    return this.#random.pick(NAMES);
  }

  /** Some of the names, each once. */
  #names(max: number): string[] {
    const count = this.#random.between(1, max);
    return [...new Set(Array.from({ length: count }, () => this.#name()))];
  }

  #text(): string {
    const random = this.#random;
    const texts = [
      "",
      "x",
      "5",
      "-7",
      "300",
      "1.5",
      "true",
      "2024-02-29",
      "NaN",
      "ü",
      'q"\\',
      " 1",
    ];
    return random.pick([
      ...texts,
      "1700000000000",
      "9223372036854775807",
      "1e3",
      "2024-03-01T01:02",
    ]);
  }

  #whole(bits: number): string {
    const random = this.#random;
    const bound = 2n ** BigInt(bits - 1);
    const picks = [0n, 1n, -1n, bound - 1n, -bound, BigInt(random.below(100))];
    if (bits === 64) picks.push(1_700_000_000_123n, 1_700_000_000n, 2n ** 53n + 1n, 86_400_000n);
    return String(random.pick(picks));
  }

  #float(): string {
    return this.#random.pick([
      "0.5",
      "-1.25",
      "100.75",
      "3.14159",
      "1e10",
      "0.001",
      "123456.5",
      "0",
    ]);
  }

  #primitive(): Typed {
    const random = this.#random;
    const bytes = () => JSON.stringify(random.bytes(random.below(4)).toBase64());
    const whole = (bits: number) => () => this.#whole(bits);
    const named = (type: string, name: string, payload: () => string): Typed => ({
      schema: { type, name: `${LOGICAL}${name}`, version: 1 },
      payload,
    });
    const days = () => String(random.between(-1000, 40_000));
    const typed = (type: string, payload: () => string): Typed => ({ schema: { type }, payload });
    return random.pick<() => Typed>([
      () => typed("int8", whole(8)),
      () => typed("int16", whole(16)),
      () => typed("int32", whole(32)),
      () => typed("int64", whole(64)),
      () => typed("float", () => this.#float()),
      () => typed("double", () => this.#float()),
      () => typed("boolean", () => String(random.chance(50))),
      () => typed("string", () => JSON.stringify(this.#text())),
      () => typed("bytes", bytes),
      () => named("int32", "Date", days),
      () => named("int32", "Time", () => String(random.below(86_400_000))),
      () => named("int64", "Timestamp", () => String(random.between(-1e6, 1.8e12))),
      () => {
        const decimal = named(
          "bytes",
          "Decimal",
          () => JSON.stringify(random.bytes(random.between(1, 3)).toBase64()),
        );
        return {
          ...decimal,
          schema: { ...decimal.schema, parameters: { scale: String(random.below(4)) } },
        };
      },
    ])();
  }

  #typed(depth: number): Typed {
    const random = this.#random;
    const roll = random.below(10);
    const of = depth <= 0 || roll < 5
      ? this.#primitive()
      : roll < 6
      ? this.#array(depth)
      : roll < 7
      ? this.#map(depth)
      : this.#struct(depth);
    return this.#details(of);
  }

  /** With a default, a name and whether it may be null. */
  #details(of: Typed): Typed {
    const random = this.#random;
    const schema = { ...of.schema };
    const optional = random.chance(40);
    schema["optional"] = optional;
    if (schema["name"] === undefined && random.chance(15)) {
      schema["name"] = "named";
      schema["version"] = 3;
      schema["doc"] = "d";
    }
    const isFlat = !["struct", "map", "array"].includes(String(schema["type"]));
    if (isFlat && random.chance(15)) {
      schema["default"] = new Verbatim(of.payload());
    }
    return { schema, payload: () => optional && random.chance(30) ? "null" : of.payload() };
  }

  #array(depth: number): Typed {
    const random = this.#random;
    const items = this.#typed(depth - 1);
    const payload = () => `[${Array.from({ length: random.below(3) }, items.payload).join(",")}]`;
    return { schema: { type: "array", items: items.schema }, payload };
  }

  #map(depth: number): Typed {
    const random = this.#random;
    const values = this.#typed(depth - 1);
    const isText = random.chance(70);
    const keys = { type: isText ? "string" : "int32", optional: false };
    const schema = { type: "map", keys, values: values.schema };
    const payload = () => {
      const names = random.chance(20) ? [] : this.#names(2);
      return isText
        ? `{${names.map((name) => `${JSON.stringify(name)}:${values.payload()}`).join(",")}}`
        : `[${names.map((_name, i) => `[${i},${values.payload()}]`).join(",")}]`;
    };
    return { schema, payload };
  }

  #struct(depth: number): Typed {
    const fields = this.#names(5).map((name) => ({ name, typed: this.#typed(depth - 1) }));
    return {
      schema: {
        type: "struct",
        fields: fields.map(({ name, typed }) => ({ ...typed.schema, field: name })),
      },
      payload: () =>
        `{${
          fields.map(({ name, typed }) => `${JSON.stringify(name)}:${typed.payload()}`).join(",")
        }}`,
    };
  }

  /** JSON without a schema. */
  #plain(depth: number): string {
    const random = this.#random;
    const roll = random.below(depth > 0 ? 9 : 6);
    if (roll < 2) return this.#whole(random.pick([8, 32, 64]));
    // Without a schema, a float without a fraction is a whole number to us.
    if (roll === 2) return random.pick(["0.5", "-1.25", "100.75", "3.14159", "0.001"]);
    if (roll === 3) return random.pick(["true", "false", "null"]);
    if (roll < 6) return JSON.stringify(this.#text());
    if (roll === 6) {
      return `[${Array.from({ length: random.below(3) }, () => this.#plain(depth - 1)).join(",")}]`;
    }
    return this.#object(depth);
  }

  #object(depth: number): string {
    const members = this.#names(5).map((name) =>
      `${JSON.stringify(name)}:${this.#plain(depth - 1)}`
    );
    return `{${members.join(",")}}`;
  }

  #data(schemas: boolean): CaseData {
    const random = this.#random;
    if (random.chance(5)) return { schemas, json: null };
    const isObject = random.chance(80);
    if (!schemas) return { schemas, json: isObject ? this.#object(2) : this.#plain(1) };
    const { schema, payload } = isObject ? this.#details(this.#struct(2)) : this.#typed(1);
    return { schemas, json: `{"schema":${textOf(schema)},"payload":${payload()}}` };
  }

  #record(): CaseRecord {
    const random = this.#random;
    const schemas = random.chance(60);
    const isSink = random.chance(60);
    const headers = Array.from({ length: random.below(3) }, () => ({
      name: this.#name(),
      ...this.#data(true),
    }));
    return {
      topic: random.pick(["orders", "a.b-c", "logs_1", "x"]),
      partition: isSink || random.chance(50) ? random.below(9) : null,
      timestamp: random.chance(80) ? random.between(-86_400_000, 1_800_000_000_000) : null,
      offset: isSink ? random.below(1e12) : null,
      key: this.#data(schemas),
      value: this.#data(schemas),
      headers: headers.filter(({ json }) => json !== null),
    };
  }

  #predicate(): Case {
    const random = this.#random;
    const [name, config] = random.pick<[string, Config]>([
      ["RecordIsTombstone", {}],
      ["HasHeaderKey", { name: this.#name() }],
      ["TopicNameMatches", { pattern: this.#regex() }],
    ]);
    const of = `${TRANSFORMS}predicates.${name}`;
    return { kind: "predicate", class: of, config, record: this.#record() };
  }

  #regex(): string {
    return this.#random.pick([
      ...[".*", "orders", "(o)(.*)", "(?<n>[a-z]+)(.*)", "[a-z_]+\\d?", "a|a.*", "", "(", "x{2,1}"],
      ...["\\w+", "(?i)ORDERS", "(.*?)(s?)", "[^.]+"],
    ]);
  }

  #transform(): Case {
    const random = this.#random;
    const [name, hasSides, config] = random.pick(TRANSFORM_CASES);
    const drawn = config({
      random,
      name: () => this.#name(),
      names: (max) => this.#names(max).join(","),
      regex: () => this.#regex(),
      text: () => this.#text(),
    });
    const side = hasSides ? random.pick(["$Key", "$Value"]) : "";
    const replace: Config = random.chance(30) ? { "replace.null.with.default": "false" } : {};
    return {
      kind: "transform",
      class: `${TRANSFORMS}${name}${side}`,
      config: { ...drawn, ...replace },
      record: this.#record(),
    };
  }

  #converterConfig(): Config {
    const random = this.#random;
    return {
      "schemas.enable": String(random.chance(70)),
      ...(random.chance(30) ? { "decimal.format": "numeric" } : {}),
      ...(random.chance(30) ? { "replace.null.with.default": "false" } : {}),
    };
  }

  #read(): Case {
    const random = this.#random;
    if (random.chance(30)) {
      const name = random.pick([
        "Boolean",
        "Short",
        "Integer",
        "Long",
        "Float",
        "Double",
        "ByteArray",
      ]);
      const size = random.pick([0, 1, 2, 4, 8]);
      const bytes = random.chance(30) ? new Uint8Array(size).fill(1) : random.bytes(size);
      return {
        kind: "read",
        class: `${CONVERTERS}${name}Converter`,
        config: {},
        bytes: bytes.toBase64(),
      };
    }
    const { json } = random.chance(15) ? this.#mismatched() : this.#data(random.chance(70));
    const text = random.chance(20) ? this.#damaged(json ?? "") : json ?? "";
    return {
      kind: "read",
      class: "org.apache.kafka.connect.json.JsonConverter",
      config: this.#converterConfig(),
      bytes: Buffer.from(text).toString("base64"),
    };
  }

  /** A payload that need not fit its schema. */
  #mismatched(): CaseData {
    const { schema } = this.#typed(1);
    const other = this.#random.chance(50) ? this.#typed(1).payload() : this.#plain(1);
    return { schemas: true, json: `{"schema":${textOf(schema)},"payload":${other}}` };
  }

  #write(): Case {
    const random = this.#random;
    const data = this.#data(random.chance(80));
    if (random.chance(70)) {
      const of = "org.apache.kafka.connect.json.JsonConverter";
      return { kind: "write", class: of, config: this.#converterConfig(), data };
    }
    const typed = this.#details(this.#primitive());
    const json = `{"schema":${textOf(typed.schema)},"payload":${typed.payload()}}`;
    const type = String(typed.schema["type"]);
    const name = random.chance(30)
      ? random.pick(Object.values(CONVERTER_OF))
      : CONVERTER_OF[type] ?? "ByteArray";
    return {
      kind: "write",
      class: name === "String"
        ? "org.apache.kafka.connect.storage.StringConverter"
        : `${CONVERTERS}${name}Converter`,
      config: {},
      data: { schemas: true, json },
    };
  }

  /** JSON with a piece cut out, changed or added. */
  #damaged(json: string): string {
    const random = this.#random;
    const at = random.below(json.length + 1);
    const piece = random.pick(["", '"', "}", "null", "1", "[", "\\", ",", "0"]);
    return json.slice(0, at) + piece + json.slice(at + random.below(3));
  }

  #literal(depth: number): string {
    const random = this.#random;
    const pieces = [
      ...["1", "-5", "300", "70000", "5000000000", "9223372036854775808", "1.5", "0.25", "1e400"],
      ...["1e40", "true", "false", "null", "x", "hello", "", " ", "2024-02-29", "01:02:03.004Z"],
      ...[
        "2024-02-29T01:02:03.004Z",
        "2024-02-29T01\\:02\\:03.004Z",
        '"q"',
        '"a b"',
        "+7",
        "-",
        ".",
      ],
      ...["1.", ".5", "12345678901234567890", "-0.0", "1E3", '"2024-02-29"', "tru", "null1"],
    ];
    const roll = random.below(12);
    if (depth > 2 || roll < 6) return random.pick(pieces);
    const some = (count: number) =>
      Array.from({ length: random.below(count) }, () => this.#literal(depth + 1));
    if (roll < 9) return `[${some(4).join(random.pick([",", ", ", " ,"]))}]`;
    if (roll < 11) {
      const entries = some(3).map((value) =>
        `${random.pick(['"k"', '"l"', "1", "2", "null", "x"])}:${value}`
      );
      return `{${entries.join(random.pick([",", ", "]))}}`;
    }
    return some(4).join(random.pick(["", ",", " ", ":", "]", "}", '"']));
  }
}

const CONVERTER_OF: Readonly<Record<string, string>> = {
  int16: "Short",
  int32: "Integer",
  int64: "Long",
  float: "Float",
  double: "Double",
  boolean: "Boolean",
  string: "String",
  bytes: "ByteArray",
};

/** JSON that is already text. */
class Verbatim {
  constructor(readonly json: string) {}
}

function textOf(value: unknown): string {
  if (value instanceof Verbatim) return value.json;
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, of]) =>
    `${JSON.stringify(name)}:${textOf(of)}`
  );
  return `{${members.join(",")}}`;
}

/** What configs are drawn with. */
interface Draw {
  readonly random: SimRandom;
  name(): string;
  names(max: number): string;
  regex(): string;
  text(): string;
}

const TYPES = ["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"];
const PATTERNS = [
  "yyyy-MM-dd",
  "yyyy-MM-dd'T'HH:mm",
  "EEE, d MMM yyyy HH:mm:ss Z",
  "yyyyMMddHHmmssSSS",
  "hh a",
  "D/yy",
  "''yyyy",
  "q",
];

type TransformCase = readonly [
  name: string,
  hasSides: boolean,
  config: (draw: Draw) => Config,
];

/** Kafka's transforms with configs that are mostly well. */
const TRANSFORM_CASES: readonly TransformCase[] = [
  ["Cast", true, ({ random, name }) => ({
    spec: random.chance(25)
      ? random.pick([...TYPES, "bytes", "nope"])
      : Array.from({ length: random.between(1, 3) }, () => `${name()}:${random.pick(TYPES)}`)
        .join(","),
  })],
  ["DropHeaders", false, ({ names }) => ({ headers: names(3) })],
  ["ExtractField", true, ({ random, name }) => ({
    field: random.pick([
      name(),
      `${name()}.${name()}`,
      "`e.f`",
      "`e.f`.a",
      "a.",
      "`a",
      "a.`e.f`.b",
    ]),
    ...(random.chance(60) ? { "field.syntax.version": random.pick(["V1", "V2", "v2"]) } : {}),
  })],
  ["Filter", false, () => ({})],
  [
    "Flatten",
    true,
    ({ random }) => ({ ...(random.chance(50) ? {} : { delimiter: random.pick(["_", "", "::"]) }) }),
  ],
  ["HeaderFrom", true, ({ random, name }) => {
    const count = random.between(1, 2);
    const some = () => Array.from({ length: count }, name).join(",");
    return { fields: some(), headers: some(), operation: random.pick(["move", "copy"]) };
  }],
  ["HoistField", true, ({ name }) => ({ field: name() })],
  ["InsertField", true, ({ random, name }) => {
    const suffix = () => random.pick(["", "?", "!"]);
    const all = {
      "topic.field": `t${suffix()}`,
      "partition.field": `${random.pick(["p", name()])}${suffix()}`,
      "offset.field": `o${suffix()}`,
      "timestamp.field": `ts${suffix()}`,
      "static.field": `s${suffix()}`,
      "static.value": random.pick(["v", "1"]),
    };
    return Object.fromEntries(Object.entries(all).filter(() => random.chance(40)));
  }],
  ["InsertHeader", false, ({ random, name, text }) => ({
    header: name(),
    "value.literal": random.pick([text(), "[1,2]", '{"a":1}', "true"]),
  })],
  ["MaskField", true, ({ random, names }) => ({
    fields: names(3),
    ...(random.chance(50) ? { replacement: random.pick(["7", "x", "1.5", "-300", "1e2"]) } : {}),
  })],
  ["RegexRouter", false, ({ random, regex }) => ({
    regex: regex(),
    replacement: random.pick(["new", "$1", "$2-$1", "${n}", "\\$x", "$9", "$", "pre-$0"]),
  })],
  ["ReplaceField", true, ({ random, name, names }) => ({
    ...(random.chance(50) ? { exclude: names(2) } : {}),
    ...(random.chance(40) ? { include: names(4) } : {}),
    ...(random.chance(60) ? { renames: `${name()}:${random.pick([name(), "new"])}` } : {}),
  })],
  ["SetSchemaMetadata", true, ({ random }) => ({
    ...(random.chance(80) ? { "schema.name": "renamed" } : {}),
    ...(random.chance(50) ? { "schema.version": "7" } : {}),
  })],
  ["TimestampConverter", true, ({ random, name }) => ({
    ...(random.chance(75) ? { field: name() } : {}),
    "target.type": random.pick(["string", "unix", "Date", "Time", "Timestamp"]),
    ...(random.chance(80) ? { format: random.pick(PATTERNS) } : {}),
    ...(random.chance(50)
      ? {
        "unix.precision": random.pick(["seconds", "milliseconds", "microseconds", "nanoseconds"]),
      }
      : {}),
  })],
  ["TimestampRouter", false, ({ random }) => ({
    ...(random.chance(50)
      ? { "topic.format": random.pick(["${timestamp}", "x-${topic}-$1"]) }
      : {}),
    ...(random.chance(70) ? { "timestamp.format": random.pick(PATTERNS) } : {}),
  })],
  ["ValueToKey", false, ({ names }) => ({ fields: names(3) })],
];
