/**
 * The transforms of a connector, one after the other, with the predicates that they are bound to
 * (KIP-66, KIP-585): `transforms`, `transforms.NAME.type`, `predicates` and their like.
 */
import { boolean, className, list, string } from "../config/fields.ts";
import type { Field, Fields } from "../config/fields.ts";
import { ConfigError, parseField, parsePart, withPrefix } from "../config/parse.ts";
import type { ConfigProblem, RawConfig } from "../config/parse.ts";
import { DataError } from "../data/data-error.ts";
import type { ConnectRecord } from "../data/record.ts";
import type { StageDefinition } from "./definition.ts";
import { PREDICATES } from "./predicates.ts";
import { findStage, TRANSFORMS } from "./registry.ts";
import type { Predicate, Transform } from "./transform.ts";

interface Stage {
  /** As messages name it: `transform "id" (Cast$Value)`. */
  readonly name: string;
  readonly transform: Transform;
  /** Null: it is for all records. */
  readonly predicate: Predicate | null;
  readonly negate: boolean;
}

/** See the head of the file. */
export class TransformChain {
  constructor(private readonly stages: readonly Stage[]) {}

  get isEmpty(): boolean {
    return this.stages.length === 0;
  }

  /** The record to go on with; null: it is dropped. Throws `DataError` that names the transform. */
  apply<R extends ConnectRecord>(record: R): R | null {
    let current: R | null = record;
    for (const stage of this.stages) {
      current = applyStage(stage, current);
      if (current === null) return null;
    }
    return current;
  }
}

function applyStage<R extends ConnectRecord>(
  { name, transform, predicate, negate }: Stage,
  record: R,
): R | null {
  try {
    if (predicate !== null && predicate.test(record) === negate) return record;
    return transform.apply(record);
  } catch (error) {
    if (error instanceof DataError) throw new DataError(`${name}: ${error.message}`);
    if (error instanceof RangeError) {
      throw new DataError(`${name}: the record is nested too deeply`);
    }
    throw error;
  }
}

/** The settings of every connector that name its transforms and predicates. */
export const CHAIN_FIELDS = {
  transforms: list().default([]).check(distinctAliases).importance("LOW").group("Transforms").doc(
    "The names of transforms, in the order in which records go through them.",
  ),
  predicates: list().default([]).check(distinctAliases).importance("LOW").group("Predicates").doc(
    "The names of predicates, which decide what records a transform sees.",
  ),
};

function distinctAliases(names: readonly string[]): string | null {
  return new Set(names).size === names.length ? null : "has a name twice";
}

/** What every transform has besides its own settings. */
export const STAGE_FIELDS = {
  predicate: string().optional().doc("The predicate that says which records it sees."),
  negate: boolean().default(false).doc("Whether it sees those that the predicate is false for."),
};

/**
 * All settings that the chain of this config has, by their full names: for `validate`, and to know
 * keys that nothing reads. Of a transform that is not known there is its type alone.
 */
export function chainFields(raw: RawConfig): Fields {
  const fields: Record<string, Field<unknown>> = { ...CHAIN_FIELDS };
  const add = <T>(
    kind: "transforms" | "predicates",
    definitions: readonly StageDefinition<T>[],
  ) => {
    for (const alias of aliasesOf(raw, kind)) {
      const group = `${kind === "transforms" ? "Transforms" : "Predicates"}: ${alias}`;
      const prefix = `${kind}.${alias}.`;
      const found = findStage(definitions, valueAt(raw, `${prefix}type`) ?? "");
      const own = "problem" in found ? {} : found.definition.config;
      const parts = {
        type: typeField(definitions),
        ...(kind === "transforms" ? STAGE_FIELDS : {}),
        ...own,
      };
      for (const [name, field] of Object.entries(withPrefix(parts, prefix))) {
        fields[name] = field.group(group);
      }
    }
  };
  add("transforms", TRANSFORMS);
  add("predicates", PREDICATES);
  return fields;
}

function typeField<T>(definitions: readonly StageDefinition<T>[]): Field<unknown> {
  const check = (type: string) => {
    const found = findStage(definitions, type);
    return "problem" in found ? found.problem : null;
  };
  return className().check(check).importance("HIGH").doc("What it is, by its name.");
}

function valueAt(raw: RawConfig, key: string): string | undefined {
  return Object.hasOwn(raw, key) ? raw[key] : undefined;
}

function aliasesOf(raw: RawConfig, kind: "transforms" | "predicates"): readonly string[] {
  const read = parseField(kind, CHAIN_FIELDS[kind], raw);
  return "problem" in read ? [] : CHAIN_FIELDS[kind].parts.read(valueAt(raw, kind) ?? "");
}

/** The chain that a config asks for. Throws `ConfigError` with all that is wrong. */
export function chainOf(raw: RawConfig): TransformChain {
  const { transforms, predicates } = parsePart(CHAIN_FIELDS, raw, "");
  const problems: ConfigProblem[] = [];
  const stages = transforms.flatMap((alias) => {
    try {
      return [stageOf(raw, alias, predicates)];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return new TransformChain(stages);
}

function stageOf(raw: RawConfig, alias: string, predicates: readonly string[]): Stage {
  const prefix = `transforms.${alias}.`;
  const transform = makePart(TRANSFORMS, raw, prefix);
  const { predicate, negate } = parsePart(STAGE_FIELDS, raw, prefix);
  const type = valueAt(raw, `${prefix}type`) ?? "";
  const name = `transform "${alias}" (${type.slice(type.lastIndexOf(".") + 1)})`;
  if (predicate === null) {
    if (valueAt(raw, `${prefix}negate`) !== undefined) {
      throw problem(`${prefix}negate`, `has no meaning without "${prefix}predicate"`);
    }
    return { name, transform, predicate: null, negate };
  }
  if (!predicates.includes(predicate)) {
    throw problem(`${prefix}predicate`, `must be one of "predicates", not "${predicate}"`);
  }
  const made = makePart(PREDICATES, raw, `predicates.${predicate}.`);
  return { name, transform, predicate: made, negate };
}

function makePart<T>(
  definitions: readonly StageDefinition<T>[],
  raw: RawConfig,
  prefix: string,
): T {
  const type = valueAt(raw, `${prefix}type`);
  if (type === undefined) throw problem(`${prefix}type`, "is missing: what is it?");
  const found = findStage(definitions, type);
  if ("problem" in found) throw problem(`${prefix}type`, found.problem);
  return found.definition.make(raw, prefix, found.side);
}

function problem(field: string, why: string): ConfigError {
  return new ConfigError([{ field, message: `"${field}" ${why}` }]);
}
