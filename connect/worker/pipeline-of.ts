/** Converters and transforms as a connector's config asks for them. */
import type { Fields } from "../config/fields.ts";
import type { RawConfig } from "../config/parse.ts";
import {
  CONVERTER_FIELDS,
  converterFields,
  converterOf,
  headerConverterOf,
} from "../converters/registry.ts";
import type { Pipeline } from "../runtime/pipeline.ts";
import { CHAIN_FIELDS, chainFields, chainOf } from "../transforms/chain.ts";

/** See the head of the file. Throws `ConfigError`. */
export function pipelineOf(raw: RawConfig): Pipeline {
  const transforms = chainOf(raw);
  return {
    key: converterOf(raw, "key.converter"),
    value: converterOf(raw, "value.converter"),
    header: headerConverterOf(raw),
    transform: transforms.isEmpty ? null : transforms,
  };
}

/** Settings of every connector that name its converters, transforms and predicates. */
export const PIPELINE_FIELDS = { ...CONVERTER_FIELDS, ...CHAIN_FIELDS };

/** With the settings of those that a config names. */
export function pipelineFields(raw: RawConfig): Fields {
  return { ...converterFields(raw), ...chainFields(raw) };
}
