/** Converters and transforms as a connector's config asks for them. */
import type { RawConfig } from "../config/parse.ts";
import { converterOf, headerConverterOf } from "../converters/registry.ts";
import type { Pipeline } from "../runtime/pipeline.ts";
import { chainOf } from "../transforms/chain.ts";

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
