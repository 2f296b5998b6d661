/** Transforms and predicates by the names that configs have for them. */
import { cast } from "./cast.ts";
import type { Side, StageDefinition, TransformDefinition } from "./definition.ts";
import { expr } from "./expr.ts";
import { extractField, hoistField } from "./extract-field.ts";
import { flatten } from "./flatten.ts";
import { dropHeaders, headerFrom, insertHeader } from "./headers.ts";
import { insertField } from "./insert-field.ts";
import { maskField } from "./mask-field.ts";
import { replaceField, valueToKey } from "./replace-field.ts";
import { filter, regexRouter, timestampRouter } from "./routers.ts";
import { setSchemaMetadata } from "./set-schema-metadata.ts";
import { timestampConverter } from "./timestamp-converter.ts";

/** All of them. */
export const TRANSFORMS: readonly TransformDefinition[] = [
  ...[cast, dropHeaders, expr, extractField, filter, flatten, headerFrom, hoistField],
  ...[insertField, insertHeader, maskField, regexRouter, replaceField, setSchemaMetadata],
  ...[timestampConverter, timestampRouter, valueToKey],
];

/** What a type of a config names, or why it names nothing. */
export type FoundStage<T> =
  | { readonly definition: StageDefinition<T>; readonly side: Side }
  | { readonly problem: string };

/** What others' classes do is done here by these. */
const INSTEAD: Readonly<Record<string, string>> = {
  ExtractNewRecordState: "expr with map: v.after ?? null",
  Filter: 'expr with where, or Filter with a predicate (no "$")',
  Drop: "ReplaceField, or Filter with a predicate",
  TombstoneHandler: "Filter with the predicate RecordIsTombstone",
  ExtractTopic: "expr with topic",
  MessageTimestampRouter: "expr with topic",
  TopicRegexRouter: "RegexRouter",
  ByLogicalTableRouter: "RegexRouter",
  GzipDecompress: "no transform yet",
};

/** The definition that `Cast$Value`, Kafka's class of it, or a short name means. */
export function findStage<T>(
  definitions: readonly StageDefinition<T>[],
  type: string,
): FoundStage<T> {
  const [name = "", suffix, ...rest] = type.trim().split("$");
  const found = definitions.find((one) => one.name === name || one.className === name);
  if (found === undefined || rest.length > 0) return { problem: unknownType(definitions, type) };
  if (!found.hasSides) {
    return suffix === undefined
      ? { definition: found, side: "value" }
      : { problem: `must be ${found.name} alone, not "${type}"` };
  }
  const side = sideOf(suffix);
  if (side !== null) return { definition: found, side };
  return { problem: `must be ${found.name}$Key or ${found.name}$Value, not "${type}"` };
}

function sideOf(suffix: string | undefined): Side | null {
  if (suffix === "Key") return "key";
  return suffix === "Value" ? "value" : null;
}

function unknownType<T>(definitions: readonly StageDefinition<T>[], type: string): string {
  const simple = type.slice(type.lastIndexOf(".") + 1).split("$")[0] ?? "";
  const isForeign = type.includes(".") && !type.startsWith("org.apache.kafka.");
  const hint = isForeign && Object.hasOwn(INSTEAD, simple) ? `; take ${INSTEAD[simple]}` : "";
  const names = definitions.map((one) => one.hasSides ? `${one.name}$Key|Value` : one.name);
  return `must be one of ${names.join(", ")}, not "${type}"${hint}`;
}
