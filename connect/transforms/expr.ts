/** `expr`: filters and maps in the language of `core/expression`, which `--where` and `--map` have, too. */
import { string } from "../config/fields.ts";
import {
  compileExpression,
  ExpressionError,
  RecordScope,
} from "../../core/expression/expression.ts";
import type { CompiledExpression, RecordValues } from "../../core/expression/expression.ts";
import { DataError } from "../data/data-error.ts";
import type { ConnectHeader, ConnectRecord } from "../data/record.ts";
import { isObject } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";
import { defineTransform, SettingError } from "./definition.ts";
import { connectValueOf, expressionValueOf } from "./expression-values.ts";

function setting(what: string, example: string) {
  return string().optional().importance("HIGH").example(example).doc(
    `${what} The expression sees key, value, headers, topic, partition, offset and timestamp.`,
  );
}

export const expr = defineTransform({
  name: "expr",
  doc: "Filters and changes records by expressions; all see the record as it came. " +
    "What an expression makes has no schema.",
  config: {
    where: setting("Only records for which this is true go on.", "v.total > 100"),
    map: setting("The new value.", "{ ...v, total: v.price * v.count }"),
    key: setting("The new key.", "v.customer"),
    topic: setting("The new topic.", "`orders-${v.country}`"),
    headers: setting("The new headers, as an object.", '{ ...h, source: "shop" }'),
  },
  make: (config) => {
    const compile = (name: keyof typeof config) => compileSetting(name, config[name]);
    const where = compile("where");
    const map = compile("map");
    const key = compile("key");
    const topic = compile("topic");
    const headers = compile("headers");
    if ([where, map, key, topic, headers].every((one) => one === null)) {
      throw new SettingError("where", "or map, key, topic or headers is missing");
    }
    const scope = new RecordScope();
    const values = new ValuesOfRecord();
    return {
      apply: (record) => {
        values.record = record;
        scope.setValues(values, { topic: record.topic, partition: record.partition ?? -1 });
        if (where !== null && !run("where", () => where.test(scope))) return null;
        const evaluate = (name: string, expression: CompiledExpression | null) =>
          expression === null
            ? null
            : { value: run(name, () => connectValueOf(expression.evaluate(scope))) };
        const newKey = evaluate("key", key);
        const newValue = evaluate("map", map);
        const newTopic = evaluate("topic", topic);
        const newHeaders = evaluate("headers", headers);
        return {
          ...record,
          ...(newKey === null ? null : { keySchema: null, key: newKey.value }),
          ...(newValue === null ? null : { valueSchema: null, value: newValue.value }),
          ...(newTopic === null ? null : { topic: topicOf(newTopic.value) }),
          ...(newHeaders === null ? null : { headers: headersOf(newHeaders.value) }),
        };
      },
    };
  },
}, null);

function compileSetting(name: string, source: string | null): CompiledExpression | null {
  if (source === null) return null;
  try {
    return compileExpression(source);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new SettingError(name, `cannot be read: ${error.message}\n${error.excerpt}`);
  }
}

function run<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof RangeError) throw new DataError(`${name}: the value is nested too deeply`);
    if (error instanceof ExpressionError || error instanceof DataError) {
      throw new DataError(`${name}: ${error.message}`);
    }
    throw error;
  }
}

function topicOf(value: ConnectValue): string {
  if (typeof value === "string" && value !== "") return value;
  throw new DataError("topic: this gives no name of a topic");
}

function headersOf(value: ConnectValue): readonly ConnectHeader[] {
  if (!isObject(value)) throw new DataError("headers: this gives no object");
  return Object.keys(value).map((name) => ({ name, schema: null, value: value[name] ?? null }));
}

/** The record under evaluation as expressions see it. */
class ValuesOfRecord implements RecordValues {
  record: ConnectRecord | null = null;

  get offset(): number {
    const { record } = this;
    const has = record !== null && "offset" in record && typeof record.offset === "bigint";
    return has ? Number(record.offset) : -1;
  }

  get timestamp(): number {
    return this.record?.timestampMs ?? -1;
  }

  key(): unknown {
    return expressionValueOf(this.record?.key ?? null);
  }

  value(): unknown {
    return expressionValueOf(this.record?.value ?? null);
  }

  headers(): readonly (readonly [name: string, value: unknown])[] {
    const { headers } = this.record ?? { headers: [] };
    return headers.map(({ name, value }) => [name, expressionValueOf(value)]);
  }
}
