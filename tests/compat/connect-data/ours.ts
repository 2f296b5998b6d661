/** What our converters and transforms make of a case, in the form that `ConnectOracle` answers in. */
import { converterOf } from "../../../connect/converters/registry.ts";
import { literalText, parseLiteral } from "../../../connect/data/literals.ts";
import type { SinkRecord } from "../../../connect/data/record.ts";
import { sourceRecord } from "../../../connect/data/record.ts";
import type { ConnectRecord } from "../../../connect/data/record.ts";
import type { SchemaAndValue } from "../../../connect/data/schema.ts";
import { chainOf } from "../../../connect/transforms/chain.ts";
import type { Case, CaseData, CaseRecord } from "./cases.ts";
import { show } from "./shown.ts";
import type { Shown } from "./shown.ts";

export type Answer = { [name: string]: Shown };

/** The answer; an error of any kind is `error`. */
export function ourAnswer(test: Case): Answer {
  try {
    return answer(test);
  } catch (error) {
    return { error: String(error) };
  }
}

function answer(test: Case): Answer {
  switch (test.kind) {
    case "transform": {
      const config = { transforms: "t", ...prefixed("transforms.t.", test.class, test.config) };
      const record = chainOf(config).apply(recordOf(test.record));
      return record === null ? { dropped: true } : showRecord(record);
    }
    case "predicate": {
      const record = chainOf({
        transforms: "t",
        "transforms.t.type": "Filter",
        "transforms.t.predicate": "p",
        predicates: "p",
        ...prefixed("predicates.p.", test.class, test.config),
      }).apply(recordOf(test.record));
      return { result: record === null };
    }
    case "read": {
      const bytes = Uint8Array.fromBase64(test.bytes);
      return show(converter(test.class, test.config).fromBytes("t", bytes));
    }
    case "write": {
      const { schema, value } = dataOf(test.data);
      const bytes = converter(test.class, test.config).toBytes("t", schema, value);
      return { bytes: bytes === null ? null : bytes.toBase64() };
    }
    case "literal":
      return show(parseLiteral(test.text));
    case "text": {
      const { schema, value } = dataOf(test.data);
      return { text: value === null ? null : literalText(schema, value) };
    }
  }
}

function prefixed(prefix: string, type: string, config: Readonly<Record<string, string>>) {
  const own = Object.entries(config).map(([name, value]) => [`${prefix}${name}`, value]);
  return { [`${prefix}type`]: type, ...Object.fromEntries(own) };
}

function converter(name: string, config: Readonly<Record<string, string>>) {
  const own = Object.entries(config).map(([key, value]) => [`value.converter.${key}`, value]);
  return converterOf(
    { "value.converter": name, ...Object.fromEntries(own) },
    "value.converter",
  );
}

function dataOf({ schemas, json }: CaseData): SchemaAndValue {
  const config = { "schemas.enable": String(schemas), "replace.null.with.default": "false" };
  const bytes = json === null ? null : new TextEncoder().encode(json);
  return converter("json", config).fromBytes("t", bytes);
}

function recordOf(of: CaseRecord): ConnectRecord {
  const [key, value] = [dataOf(of.key), dataOf(of.value)];
  const record = {
    ...sourceRecord({ topic: of.topic, value: value.value }),
    partition: of.partition,
    keySchema: key.schema,
    key: key.value,
    valueSchema: value.schema,
    headers: of.headers.map((header) => ({ name: header.name, ...dataOf(header) })),
    timestampMs: of.timestamp,
  };
  if (of.offset === null) return record;
  const place = { topic: of.topic, partition: of.partition ?? 0, offset: BigInt(of.offset) };
  const sink: SinkRecord = { ...record, ...place, timestampType: "CreateTime", original: place };
  return sink;
}

function showRecord(record: ConnectRecord): Answer {
  return {
    topic: record.topic,
    key: show({ schema: record.keySchema, value: record.key }),
    value: show({ schema: record.valueSchema, value: record.value }),
    headers: record.headers.map(({ name, ...of }) => ({ ...show(of), name })),
  };
}
