/** Keys of a config whose names are made of others: `tables.*.key`, where `*` stands for anything. */
import type { RawConfig } from "./parse.ts";

/** The part of a config with such keys, as its author gets it: by full names. */
export function dynamicPart(raw: RawConfig, patterns: readonly string[]): RawConfig {
  if (patterns.length === 0) return {};
  const tests = patterns.map((pattern) =>
    new RegExp(`^${pattern.split("*").map((part) => RegExp.escape(part)).join(".*")}$`, "s")
  );
  return Object.fromEntries(
    Object.entries(raw).filter(([key]) => tests.some((test) => test.test(key))),
  );
}
