/**
 * What a worker knows of a connector that runs apart: its definition without its code, as a host has
 * told it. Values are read by their type here, and by the connector's own checks there.
 */
import { assert } from "../../core/assert.ts";
import {
  boolean,
  choice,
  double,
  Field,
  int,
  list,
  long,
  secret,
  string,
} from "../config/fields.ts";
import type { Fields, FieldType } from "../config/fields.ts";
import type { ConnectorDefinition } from "../connector.ts";
import { DELIVERIES } from "./definition-shape.ts";
import { Said, UnreadableError } from "../host/said.ts";

/** A definition as a message has it. */
export function describe(definition: ConnectorDefinition) {
  const { name, kind, version, doc, delivery, needs, aliases = [], dynamicKeys = [] } = definition;
  return {
    ...{ name, kind, version, doc, delivery, needs, aliases, dynamicKeys },
    watches: definition.watch !== undefined,
    fields: Object.entries(definition.config).map(([field, { parts }]) => {
      const { fallback, show } = parts;
      const hasValue = fallback !== null && fallback.value !== null;
      return {
        name: field,
        type: parts.type,
        isRequired: parts.isRequired,
        isOptional: fallback !== null && fallback.value === null,
        fallback: hasValue ? show(fallback.value) : null,
        doc: parts.doc,
        group: parts.group,
        importance: parts.importance,
        choices: parts.choices,
        example: parts.example,
      };
    }),
  };
}

/** The definition that a message describes. Nothing of it can be run. Throws `UnreadableError`. */
export function describedDefinition(message: unknown): ConnectorDefinition {
  const said = new Said(message);
  const name = said.text("name");
  const fields: Fields = Object.fromEntries(
    said.list("fields").map((each) => {
      const field = new Said(each);
      return [field.text("name"), fieldOf(field)];
    }),
  );
  const elsewhere = (): never => {
    assert(false, `${name} runs in a host`);
  };
  const base = {
    name,
    version: said.text("version"),
    doc: said.text("doc"),
    config: fields,
    aliases: said.texts("aliases"),
    dynamicKeys: said.texts("dynamicKeys"),
    delivery: DELIVERIES.find((each) => each === said.text("delivery")) ?? "at-least-once",
    ...(said.textOrNull("needs") === "exec" && { needs: "exec" as const }),
    ...(said.flag("watches") && { watch: elsewhere }),
  };
  return said.text("kind") === "source"
    ? { ...base, kind: "source", read: elsewhere }
    : { ...base, kind: "sink", open: elsewhere };
}

function fieldOf(said: Said): Field<unknown> {
  const importance = said.text("importance");
  const choices = said.texts("choices");
  const field: Field<unknown> = choices.length > 0 ? choice(...choices) : byType(said.text("type"));
  const { read } = field.parts;
  const text = said.textOrNull("fallback");
  const fallback = said.flag("isOptional")
    ? { value: null }
    : text === null
    ? null
    : { value: fallbackOf(read, text) };
  return new Field<unknown>({
    ...field.parts,
    fallback,
    isRequired: said.flag("isRequired"),
    doc: said.text("doc"),
    group: said.text("group"),
    importance: importance === "HIGH" || importance === "LOW" ? importance : "MEDIUM",
    example: said.textOrNull("example"),
  });
}

/** A default need not be what a user could give. */
function fallbackOf(read: (text: string) => unknown, text: string): unknown {
  try {
    return read(text);
  } catch {
    return text;
  }
}

const BY_TYPE: Readonly<Record<FieldType, () => Field<unknown>>> = {
  STRING: string,
  CLASS: string,
  PASSWORD: secret,
  BOOLEAN: boolean,
  INT: int,
  LONG: long,
  DOUBLE: double,
  LIST: list,
};

function byType(type: string): Field<unknown> {
  const make = Object.entries(BY_TYPE).find(([known]) => known === type)?.[1];
  if (make === undefined) throw new UnreadableError(`a field has the type "${type}"`);
  return make();
}
