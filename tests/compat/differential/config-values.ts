/** Values for Kafka's configs: such as fit their type, and such as do not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SimRandom } from "../../sim/sim-random.ts";

/** A config as `tests/fixtures/configs.tsv` has it. */
export interface KnownConfig {
  readonly scope: string;
  readonly name: string;
  readonly type: string;
  readonly defaultText: string;
  /** `[a, b]` where only these are valid. */
  readonly valid: string;
}

const KNOWN: readonly KnownConfig[] = readFileSync(
  join(import.meta.dir, "../../fixtures/configs.tsv"),
  "utf8",
)
  .trim().split("\n").slice(1).map((line) => {
    const [scope = "", name = "", type = "", defaultText = "", valid = ""] = line.split("\t");
    return { scope, name, type, defaultText, valid };
  });

/** The configs of a scope: `topic`, `broker`, `group`. */
export function knownConfigs(scope: string): readonly KnownConfig[] {
  return KNOWN.filter((config) => config.scope === scope);
}

const NUMBERS = ["0", "1", "-1", "-2", "100", "5000", "1048576", "86400000"];
const ODD_NUMBERS = [
  "2147483647",
  "2147483648",
  "9223372036854775807",
  "9223372036854775808",
  "1.5",
];
const VALUES: Readonly<Record<string, readonly string[]>> = {
  INT: [...NUMBERS, ...NUMBERS, ...ODD_NUMBERS, "many", "", " 7 "],
  SHORT: [...NUMBERS, ...ODD_NUMBERS, "32767", "32768"],
  LONG: [...NUMBERS, ...NUMBERS, ...ODD_NUMBERS, "many", "", " 7 "],
  DOUBLE: ["0", "0.1", "0.5", "1", "1.1", "-0.1", "x", "", "1e-3"],
  BOOLEAN: ["true", "false", "true", "false", "TRUE", "yes", "", " true"],
};

/** A value for a config, or null: valid, at the edge, or nonsense. */
export function oddValue(random: SimRandom, scope: string, name: string): string | null {
  if (random.chance(4)) return null;
  const known = KNOWN.find((config) => config.scope === scope && config.name === name);
  const choices = /^\[([a-zA-Z_,. ]+)\]$/.exec(known?.valid ?? "")?.[1]?.split(/, */) ?? [];
  const texts = known === undefined ? ["1"] : VALUES[known.type] ?? [
    ...choices,
    ...choices,
    ...choices.map((choice) => `${choice},${choices[0]}`),
    choices.join(","),
    "",
    "x",
    "0:1,1:1",
    "*",
  ];
  return random.pick(texts);
}
