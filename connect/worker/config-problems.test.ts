import { expect, test } from "bun:test";
import { string } from "../config/fields.ts";
import { defineSource } from "../connector.ts";
import type { ConnectorDefinition } from "../connector.ts";
import sqlSource from "../connectors/sql/sql-source.ts";
import { checkConfig } from "./config-problems.ts";
import { pipelineOf } from "./pipeline-of.ts";

const definition = defineSource({
  name: "counter",
  version: "1.0.0",
  doc: "Counts.",
  config: { topic: string().doc("Where to.") },
  async *read() {},
});
const GOOD = { "name": "counts", "connector.class": "counter", "topic": "t" };

function messagesOf(
  config: Record<string, string>,
  of: ConnectorDefinition = definition,
): string[] {
  const secrets = { env: () => undefined, readFile: () => "" };
  return checkConfig(of, config, { secrets, pipelineOf }).problems.map((problem) => {
    return problem.message;
  });
}

test("all that is wrong is said at once", () => {
  expect(messagesOf(GOOD)).toEqual([]);
  const { topic: _, ...noTopic } = GOOD;
  const wrong = { "tasks.max": "many", "errors.tolerance": "some", "value.converter": "xml" };
  expect(messagesOf({ ...noTopic, tpoic: "x", ...wrong })).toEqual([
    expect.stringMatching(/^"tasks.max" must be a whole number/),
    expect.stringMatching(/^"errors.tolerance" must be one of/),
    expect.stringMatching(/^"topic" is missing/),
    expect.stringMatching(/^"value.converter" must be one of/),
    '"tpoic" is no field of this connector: did you mean "topic"?',
  ]);
  expect(messagesOf({ ...GOOD, "topic": "${env:TOPIC}", "errors.x": "1" })).toEqual([
    expect.stringMatching(/^"topic" asks for \${env:TOPIC}/),
    expect.stringMatching(/^"errors.x" is no field/),
  ]);
});

test("keys of transforms are known by their types", () => {
  const drop = { transforms: "a", "transforms.a.type": "DropHeaders" };
  expect(messagesOf({ ...GOOD, ...drop, "transforms.a.headers": "x" })).toEqual([]);
  expect(messagesOf({ ...GOOD, ...drop, "transforms.a.heders": "x" })).toEqual([
    expect.stringMatching(/^"transforms.a.headers" is missing/),
    expect.stringMatching(/"transforms.a.heders" is no field.*mean "transforms.a.headers"/),
  ]);
  const explode = { transforms: "a", "transforms.a.type": "Explode", "transforms.a.x": "1" };
  expect(messagesOf({ ...GOOD, ...explode })).toEqual([
    expect.stringMatching(/^"transforms.a.type" .*Explode/),
  ]);
});

test("exactly once is refused where a source, or this config of it, does not have it", () => {
  const required = { "exactly.once.support": "required" };
  expect(messagesOf({ ...GOOD, ...required })).toEqual([
    '"exactly.once.support" cannot be required: counter may read records twice; leave it out',
  ]);
  const tables = {
    name: "tables",
    "connector.class": "sql-source",
    "connection.url": "sqlite:/shop.db",
    "topic.prefix": "shop-",
    ...required,
  };
  const timestamp = { mode: "timestamp", "timestamp.column.name": "at" };
  expect(messagesOf({ ...tables, ...timestamp }, sqlSource)).toEqual([]);
  expect(messagesOf({ ...tables, mode: "bulk" }, sqlSource)).toEqual([
    expect.stringMatching(/cannot be required: mode=bulk .*; take another mode, or leave it out/),
  ]);
});
