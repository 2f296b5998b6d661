/** `kstream/connect`: what a connector is written with. */
export { defineSink, defineSource, RetriableError } from "./connector.ts";
export type * from "./connector.ts";
export {
  boolean,
  choice,
  double,
  FieldError,
  int,
  list,
  long,
  secret,
  string,
} from "./config/fields.ts";
export type { ConfigOf, Field, Fields } from "./config/fields.ts";
export type { ConfigProblem, RawConfig } from "./config/parse.ts";
export {
  arrayOf,
  dateSchema,
  decimalSchema,
  LOGICAL,
  mapOf,
  optional,
  primitive,
  struct,
  timeSchema,
  timestampSchema,
} from "./data/schema.ts";
export type { Schema, SchemaField } from "./data/schema.ts";
export { project } from "./data/project.ts";
export { sameSchema, sameValue } from "./data/same-schema.ts";
export { validate } from "./data/validate.ts";
export { Decimal, fieldOf, isObject } from "./data/values.ts";
export type { ConnectObject, ConnectValue } from "./data/values.ts";
export type {
  ConnectHeader,
  PartialSourceRecord,
  SinkRecord,
  SourceMap,
  SourceRecord,
} from "./data/record.ts";
export type { Converter, HeaderConverter, SchemaAndValue } from "./converters/converter.ts";
export { DataError } from "./converters/converter.ts";
export type { Predicate, Transform } from "./transforms/transform.ts";
