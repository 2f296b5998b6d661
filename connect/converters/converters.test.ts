import { describe, expect, test } from "bun:test";
import { ConfigError } from "../config/parse.ts";
import { DataError } from "../data/data-error.ts";
import {
  arrayOf,
  decimalSchema,
  mapOf,
  optional,
  primitive,
  struct,
  timestampSchema,
} from "../data/schema.ts";
import { sameSchema } from "../data/same-schema.ts";
import { Decimal } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";
import type { Converter } from "./converter.ts";
import { converterOf, headerConverterOf } from "./registry.ts";

const JSON_CLASS = "org.apache.kafka.connect.json.JsonConverter";
const utf8 = (text: string) => new TextEncoder().encode(text);

function value(config: Record<string, string> = {}): Converter {
  return converterOf(config, "value.converter");
}

function written(converter: Converter, of: ConnectValue): string | null {
  const bytes = converter.toBytes("t", null, of);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

function read(converter: Converter, text: string): ConnectValue {
  return converter.fromBytes("t", utf8(text)).value;
}

describe("plain JSON", () => {
  test("whole numbers are exact whatever their size, both ways", () => {
    const text = '{"id":9223372036854775807,"list":[-12345678901234567890,1],"f":0.1}';
    const parsed = read(value(), text);
    expect(parsed).toEqual({
      id: 9223372036854775807n,
      list: [-12345678901234567890n, 1],
      f: 0.1,
    });
    expect(written(value(), parsed)).toBe(text);
    expect(read(value(), "12345678901234567")).toBe(12345678901234567n);
    // Digits behind a point, and in text, are none of them.
    expect(read(value(), '[0.12345678901234567,"1234567890123456789"]'))
      .toEqual([0.12345678901234567, "1234567890123456789"]);
  });

  test("names that objects inherit are fields like any other", () => {
    const text = '{"__proto__":{"a":1},"constructor":2}';
    const parsed = read(value(), text);
    expect(Object.keys(parsed as object)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(written(value(), parsed)).toBe(text);
  });

  test("what JSON lacks is written as what comes nearest", () => {
    const odd = {
      at: new Date(0),
      price: Decimal.parse("12.50")!,
      bytes: new Uint8Array([1, 2]),
      map: new Map<ConnectValue, ConnectValue>([["a", 1n]]),
      pairs: new Map<ConnectValue, ConnectValue>([[1, "x"]]),
      nan: NaN,
    };
    expect(written(value(), odd)).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","price":12.50,"bytes":"AQI=","map":{"a":1},' +
        '"pairs":[[1,"x"]],"nan":"NaN"}',
    );
  });

  test("null and no bytes are null", () => {
    expect(written(value(), null)).toBeNull();
    expect(value().fromBytes("t", null).value).toBeNull();
    expect(read(value(), "")).toBeNull();
  });

  test("what is no JSON is refused with the way out, without the data", () => {
    const key = converterOf({}, "key.converter");
    expect(() => read(key, "secret text")).toThrow(
      /^key is no JSON: .*; if it is text, set key.converter to string$/,
    );
    expect(() => read(key, "secret text")).not.toThrow(/secret/);
    expect(() => value().fromBytes("t", new Uint8Array([0xff]))).toThrow("no text in UTF-8");
    expect(() => read(value(), "[".repeat(1_000_000))).toThrow(DataError);
    expect(() => read(value(), `[${"9".repeat(5000)}]`)).toThrow("more than 1000 digits");
  });
});

describe("JSON with schemas", () => {
  const schema = struct({
    id: primitive("int64"),
    price: decimalSchema(2),
    at: optional(timestampSchema),
    small: primitive("float32"),
    tags: optional(arrayOf(primitive("string"))),
    counts: mapOf(primitive("int32"), primitive("boolean")),
    by: primitive("string", { defaultValue: "nobody" }),
  }, { name: "order", version: 3, doc: "An order." });
  const order = {
    id: 9007199254740993n,
    price: Decimal.parse("12.50")!,
    at: new Date(1_700_000_000_123),
    small: Math.fround(0.1),
    tags: null,
    counts: new Map<ConnectValue, ConnectValue>([[7, true]]),
    by: "me",
  };

  for (const format of ["base64", "numeric"]) {
    test(`a struct comes back as it was, decimals as ${format}`, () => {
      const converter = value({
        "value.converter": JSON_CLASS,
        "value.converter.decimal.format": format,
      });
      for (let round = 0; round < 3; round++) {
        const back = converter.fromBytes("t", converter.toBytes("t", schema, order));
        expect(back.value).toEqual(order);
        expect(sameSchema(back.schema, schema)).toBe(true);
      }
    });
  }

  test("null becomes the default, unless it is told not to", () => {
    const text = '{"schema":{"type":"struct","fields":[{"type":"int32","optional":true,' +
      '"default":5,"field":"n"}],"optional":false},"payload":{"n":null}}';
    expect(read(value({ "value.converter": JSON_CLASS }), text)).toEqual({ n: 5 });
    const kept = value({
      "value.converter": "json",
      "value.converter.schemas.enable": "true",
      "value.converter.replace.null.with.default": "false",
    });
    expect(read(kept, text)).toEqual({ n: null });
  });

  test("a schema in the config counts for all records", () => {
    const converter = value({
      "value.converter": JSON_CLASS,
      "value.converter.schema.content": '{"type":"array","items":{"type":"int8"}}',
    });
    expect(read(converter, "[1,2]")).toEqual([1, 2]);
    expect(() => read(converter, "[1,200]")).toThrow('field "[1]": 200 is beyond int8');
  });

  test("a payload that ends early in a text that begins like the one before is not believed", () => {
    const converter = value({ "value.converter": JSON_CLASS });
    const head = '{"schema":{"type":"int32","optional":false},"payload":';
    expect(read(converter, `${head}1}`)).toBe(1);
    expect(read(converter, `${head}2}`)).toBe(2);
    expect(() => read(converter, `${head}3,"more":4}`)).toThrow("has to be {");
    // The last of members with the same name counts.
    const other = '{"type":"string","optional":false}';
    expect(read(converter, `${head}3,"schema":${other},"payload":"x"}`)).toBe("x");
  });

  test("values of another type are refused where they are, not made up", () => {
    const converter = value({ "value.converter": JSON_CLASS });
    const bad = (type: string, payload: string) => () =>
      read(
        converter,
        `{"schema":{"type":"struct","fields":[{"field":"f",${type}}]},"payload":{"f":${payload}}}`,
      );
    expect(bad('"type":"int32"', '"abc"')).toThrow('value, field "f": it is not an int32');
    expect(bad('"type":"int32"', "1.5")).toThrow('value, field "f": it is not an int32');
    expect(bad('"type":"int8"', "300")).toThrow('value, field "f": 300 is beyond int8');
    expect(bad('"type":"string"', "1")).toThrow('value, field "f": it is not a string');
    expect(bad('"type":"bytes"', '"?"')).toThrow('value, field "f": it is no base64');
    expect(bad('"type":"string"', "null")).toThrow("a string is required");
    expect(() => read(converter, '{"a":1}')).toThrow("set value.converter.schemas.enable to false");
    expect(() => read(converter, '{"schema":{"type":"nope"},"payload":1}')).toThrow('"nope"');
  });

  test("what does not fit its schema is not written", () => {
    const converter = value({ "value.converter": JSON_CLASS });
    const of = struct({ items: arrayOf(struct({ n: primitive("int8") })) });
    expect(() => converter.toBytes("t", of, { items: [{ n: 1 }, { n: 200 }] }))
      .toThrow('value, field "items[1].n": 200 is not an int8');
    expect(() => converter.toBytes("t", decimalSchema(2), Decimal.parse("1.234")))
      .toThrow("the scale of 1.234 is 3, not 2");
  });
});

test("each type has the bytes of Kafka's serializer, and refuses others", () => {
  const cases: [string, ConnectValue, string][] = [
    ["boolean", true, "01"],
    ["short", -2, "fffe"],
    ["IntegerConverter", 258, "00000102"],
    ["org.apache.kafka.connect.converters.LongConverter", 2n ** 62n, "4000000000000000"],
    ["float", 1.5, "3fc00000"],
    ["double", -0.5, "bfe0000000000000"],
    ["string", "grüß", "6772c3bcc39f"],
    ["bytes", new Uint8Array([0, 255]), "00ff"],
  ];
  for (const [name, of, hex] of cases) {
    const converter = value({ "value.converter": name });
    expect(converter.toBytes("t", null, of)?.toHex()).toBe(hex);
    expect(converter.fromBytes("t", Uint8Array.fromHex(hex)).value).toEqual(of);
    expect(converter.toBytes("t", null, null)).toBeNull();
    expect(converter.fromBytes("t", null).value).toBeNull();
  }
  const long = value({ "value.converter": "long" });
  expect(() => long.fromBytes("t", utf8("abc"))).toThrow("value has 3 bytes, and an int64 has 8");
  expect(() => long.toBytes("t", null, 2n ** 63n)).toThrow("is not an int64");
});

test("headers are known by how they look, and are written as they look", () => {
  const headers = headerConverterOf({});
  const of = (text: string) => headers.fromBytes("t", "h", utf8(text));
  expect(of("42")).toEqual({ schema: primitive("int8"), value: 42 });
  expect(of("2024-02-29").value).toEqual(new Date(Date.UTC(2024, 1, 29)));
  expect(of('["a", "b"]').value).toEqual(["a", "b"]);
  expect(of("hello, world").value).toBe("hello, world");
  // Where Java takes the number alone.
  expect(of("12:34 h").value).toBe("12:34 h");
  expect(headers.fromBytes("t", "h", new Uint8Array([0xff])).value).toEqual(new Uint8Array([0xff]));
  const back = headers.toBytes("t", "h", null, { a: [1, "x"] });
  expect(new TextDecoder().decode(back!)).toBe('{"a":[1,"x"]}');
  const ints = headerConverterOf({ "header.converter": "int" });
  expect(() => ints.fromBytes("t", "trace", utf8("x"))).toThrow('header "trace" has 1 bytes');
});

test("a config that makes no sense is refused by the name of its key", () => {
  const bad = (config: Record<string, string>) => () => value(config);
  expect(bad({ "value.converter": "io.confluent.connect.avro.AvroConverter" })).toThrow(
    /"value.converter" must be one of json, .*, not "io.confluent/,
  );
  expect(bad({ "value.converter": "simple" })).toThrow(ConfigError);
  expect(bad({ "value.converter": "json", "value.converter.schemas.enable": "yes" })).toThrow(
    '"value.converter.schemas.enable" must be true or false',
  );
  expect(bad({ "value.converter": JSON_CLASS, "value.converter.schema.content": "{}" })).toThrow(
    ConfigError,
  );
});
