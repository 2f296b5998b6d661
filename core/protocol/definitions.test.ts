/** The definitions agree, field by field, with the schemas that Kafka 4.4 is generated from. */
import { expect, test } from "bun:test";
import coordinatorRecords from "../../tests/fixtures/coordinator-records.json";
import messages from "../../tests/fixtures/messages.json";
import { apis } from "./index.ts";
import * as headers from "./headers.ts";
import * as records from "./records/index.ts";
import { type Field, type Fields, type Message } from "./schema.ts";
import { defaultOf } from "./wire.ts";

/** Kafka's schema files, as they are in the fixtures. */
interface KafkaField {
  readonly name: string;
  readonly type: string;
  readonly versions?: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly flexibleVersions?: string;
  readonly tag?: number;
  readonly default?: string | number | boolean | null;
  readonly ignorable?: boolean | string;
  readonly fields?: readonly KafkaField[];
}
interface KafkaMessage {
  readonly name: string;
  readonly apiKey?: number;
  readonly validVersions: string;
  readonly flexibleVersions?: string;
  readonly latestVersionUnstable?: boolean;
  readonly fields: readonly KafkaField[];
  readonly commonStructs?: readonly {
    readonly name: string;
    readonly fields: readonly KafkaField[];
  }[];
}

const kafkaRecords = coordinatorRecords as unknown as readonly KafkaMessage[];
const kafkaMessages = new Map<string, KafkaMessage>(
  [...messages as unknown as readonly KafkaMessage[], ...kafkaRecords]
    .map((message) => [message.name, message]),
);

/** A field of either side, brought to one form. */
interface Plain {
  readonly name: string;
  readonly fields?: readonly Plain[] | undefined;
  readonly [option: string]: unknown;
}

function plainOfKafka(message: KafkaMessage, fields: readonly KafkaField[]): Plain[] {
  return fields.map((field) => {
    const versions = field.versions ?? field.taggedVersions;
    if (field.taggedVersions !== undefined) expect(field.taggedVersions).toBe(versions!);
    const [, isArray, type] = /^(\[\])?(.*)$/.exec(field.type)!;
    const isStruct = /^[A-Z]/.test(type!);
    const inner = isStruct ? field.fields ?? commonFields(message, type!) : undefined;
    const nested = inner && plainOfKafka(message, inner);
    return {
      name: field.name[0]!.toLowerCase() + field.name.slice(1),
      type: isArray ? "array" : isStruct ? "struct" : type,
      items: isArray && !isStruct ? type : undefined,
      versions,
      nullable: field.nullableVersions,
      flexible: field.flexibleVersions,
      tag: field.tag,
      ignorable: String(field.ignorable ?? false) === "true",
      default: isArray || isStruct || type === "bytes" || type === "records"
        ? field.default === "null" || type === "records" ? null : "empty"
        : kafkaDefault(type!, field.default),
      fields: nested,
    };
  });
}

function commonFields(message: KafkaMessage, name: string): readonly KafkaField[] {
  const common = message.commonStructs?.find((struct) => struct.name === name);
  expect(common, `${message.name}: struct ${name}`).toBeDefined();
  return common!.fields;
}

function kafkaDefault(type: string, value: KafkaField["default"]): unknown {
  switch (type) {
    case "bool":
      return String(value ?? false) === "true";
    case "string":
      return value === "null" ? null : value ?? "";
    case "uuid":
      return "A".repeat(22);
    case "int64":
      return BigInt(value ?? 0);
    default:
      return Number(value ?? 0);
  }
}

function plainOfOurs(fields: Fields): Plain[] {
  return Object.entries(fields).map(([name, field]) => plainField(name, field));
}

function plainField(name: string, field: Field): Plain {
  const inner = typeof field.items === "object" ? field.items : field.fields;
  const byDefault = defaultOf(field);
  return {
    name,
    type: field.type,
    items: typeof field.items === "string" ? field.items : undefined,
    versions: field.versions,
    nullable: field.nullable,
    flexible: field.flexible,
    tag: field.tag,
    ignorable: field.ignorable ?? false,
    default: typeof byDefault === "object" && byDefault !== null ? "empty" : byDefault,
    fields: inner && plainOfOurs(inner),
  };
}

/** Compares one definition, and remembers that Kafka's was met. */
function compare(message: Message, met: Set<string>): KafkaMessage {
  const kafka = kafkaMessages.get(message.name)!;
  expect(kafka, message.name).toBeDefined();
  expect(message.versions, message.name).toBe(kafka.validVersions);
  expect(message.flexible, message.name).toBe(kafka.flexibleVersions ?? "none");
  expect(plainOfOurs(message.fields), message.name)
    .toEqual(plainOfKafka(kafka, kafka.fields));
  met.add(message.name);
  return kafka;
}

test("every API agrees with Kafka's schemas and with the table of versions", async () => {
  const table = await Bun.file(new URL("../../tests/fixtures/apis.tsv", import.meta.url)).text();
  const rows = table.trim().split("\n").slice(1).map((line) => line.split("\t"));
  const left = new Set(["52", "53", "54", "70", "82"]);
  expect(
    apis.map(({ key, name, minVersion, maxVersion }) =>
      [key, name, minVersion, maxVersion].map(String)
    ),
  ).toEqual(rows.filter(([key]) => !left.has(key!)));
  const met = new Set<string>();
  for (const api of apis) {
    expect(compare(api.request, met).apiKey).toBe(api.key);
    expect(compare(api.response, met).apiKey).toBe(api.key);
  }
  expect(met.size).toBe(apis.length * 2);
});

test("headers and other data agree with Kafka's schemas", () => {
  const met = new Set<string>();
  for (const message of [...Object.values(headers), ...records.embeddedMessages]) {
    compare(message, met);
  }
  expect(met.size).toBe(9);
});

test("records of coordinators agree with Kafka's schemas, and none is missing", () => {
  const met = new Set<string>();
  for (
    const table of [
      records.groupRecordByType,
      records.transactionRecordByType,
      records.shareRecordByType,
    ]
  ) {
    for (const [type, { key, value }] of table) {
      expect(compare(key, met).apiKey).toBe(type);
      expect(compare(value, met).apiKey).toBe(type);
    }
  }
  expect([...met].sort()).toEqual(kafkaRecords.map(({ name }) => name).sort());
});
