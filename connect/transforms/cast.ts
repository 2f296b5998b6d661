/** `Cast`: fields, or the whole key or value, to another type. */
import { FieldError, list } from "../config/fields.ts";
import { basicsOf, defineTransform, newStruct, objectOf, perSchema } from "./definition.ts";
import {
  partOf,
  REPLACE_NULL,
  schemaOf,
  structField,
  structSchemaOf,
  withPart,
} from "./definition.ts";
import { CAST_TYPES, castValue } from "./cast-value.ts";
import type { CastType } from "./cast-value.ts";
import { logicalTypeOf } from "../data/logical-types.ts";
import { primitive } from "../data/schema.ts";
import type { Schema, SchemaField, StructSchema } from "../data/schema.ts";
import { fieldOf, isObject, setField } from "../data/values.ts";
import type { ConnectObject, ConnectValue, ObjectDraft } from "../data/values.ts";
import type { Side } from "./definition.ts";
import type { Transform } from "./transform.ts";

interface Spec {
  readonly fields: ReadonlyMap<string, CastType>;
  /** The type of the whole; null: fields are cast. */
  readonly whole: CastType | null;
}

function parseSpec(mappings: readonly string[]): Spec {
  if (mappings.length === 0) throw new FieldError("must name a type, or fields and their types");
  const fields = new Map<string, CastType>();
  for (const mapping of mappings) {
    const [name, type, ...rest] = mapping.split(":").map((part) => part.trim());
    if (name === undefined || rest.length > 0) throw new FieldError(`has "${mapping}"`);
    if (type === undefined && mappings.length > 1) {
      throw new FieldError("must name one type alone, where the whole is cast");
    }
    if (type === undefined) return { fields, whole: castType(name) };
    fields.set(name, castType(type));
  }
  return { fields, whole: null };
}

function castType(name: string): CastType {
  const found = CAST_TYPES.find((type) => type === name.toLowerCase());
  if (found === undefined) {
    throw new FieldError(`has the type "${name}", which is none of ${CAST_TYPES.join(", ")}`);
  }
  return found;
}

function check(mappings: readonly string[]): string | null {
  try {
    parseSpec(mappings);
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

export const cast = defineTransform({
  name: "Cast",
  hasSides: true,
  doc: "Casts fields, or the whole key or value, to another type.",
  config: {
    spec: list().check(check).importance("HIGH").example("id:int64,price:float64").doc(
      "Fields with the types that they become, or one type for the whole: " +
        `${CAST_TYPES.join(", ")}. Bytes become strings in base64.`,
    ),
    ...REPLACE_NULL,
  },
  make: (config, side): Transform => {
    const spec = parseSpec(config.spec);
    const replaceNull = config["replace.null.with.default"];
    const { whole } = spec;
    if (whole !== null) return castWhole(whole, side);
    const structs = perSchema((schema: StructSchema) => castStruct(schema, spec, replaceNull));
    return {
      apply: (record) => {
        const value = partOf(record, side);
        if (value === null) return record;
        const object = objectOf(value, side);
        const schema = schemaOf(record, side);
        if (schema !== null) {
          const to = structs(structSchemaOf(schema, side));
          return withPart(record, side, to.schema, to.cast(object));
        }
        const draft: ObjectDraft = { ...object };
        for (const [name, type] of spec.fields) {
          setField(draft, name, castValue(null, fieldOf(object, name), type));
        }
        return withPart(record, side, null, draft);
      },
    };
  },
});

function castWhole(type: CastType, side: Side): Transform {
  const schemas = perSchema((schema: Schema) => {
    // A logical type's name on another type would be a lie; Kafka keeps it.
    const basics = logicalTypeOf(schema) === null ? basicsOf(schema) : { doc: schema.doc };
    return primitive(type, {
      ...basics,
      optional: schema.optional,
      defaultValue: castDefault(schema, type),
    });
  });
  return {
    apply: (record) => {
      const value = partOf(record, side);
      if (value === null) return record;
      const schema = schemaOf(record, side);
      const to = schema === null ? null : schemas(schema);
      return withPart(record, side, to, castValue(schema, value, type));
    },
  };
}

function castDefault(schema: Schema, type: CastType): ConnectValue | undefined {
  const { defaultValue } = schema;
  return defaultValue === undefined
    ? undefined
    : castValue(schema, defaultValue, type) ?? undefined;
}

function castStruct(schema: StructSchema, { fields }: Spec, replaceNull: boolean) {
  const castField = (field: SchemaField): SchemaField => {
    const type = fields.get(field.name);
    if (type === undefined) return field;
    const { optional } = field.schema;
    const defaultValue = castDefault(field.schema, type);
    return { name: field.name, schema: primitive(type, { optional, defaultValue }) };
  };
  const castFields = (value: ConnectObject): ConnectValue => {
    const draft: ObjectDraft = {};
    for (const field of schema.fields) {
      const from = structField(value, field, replaceNull);
      const type = fields.get(field.name);
      const to = type === undefined ? from : castValue(field.schema, from, type);
      setField(draft, field.name, to);
    }
    return draft;
  };
  const { optional, defaultValue } = schema;
  const to = newStruct(schema.fields.map(castField), {
    ...basicsOf(schema),
    optional,
    defaultValue: isObject(defaultValue) ? castFields(defaultValue) : undefined,
  });
  return { schema: to, cast: castFields };
}
