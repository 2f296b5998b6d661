/**
 * The broker's configs from everywhere they can be given: `--set`, `--durability` and `--memory` over
 * `--config server.properties` over the `[broker]` table of `kstream.toml` over defaults. What
 * Kafka has as configs and kstream as flags (listeners, data directory) is taken from the flags
 * where they are given.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import {
  DEFAULT_LISTENER,
  type ListenerSpec,
  listenerSpecs,
  type SecurityProtocol,
} from "../../broker/listeners.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { parseProperties } from "./properties.ts";
import { reasonOf } from "../reason.ts";

/** Where configs come from. */
export interface ConfigSources {
  /** The `[broker]` table; tables within it join their names with dots. */
  readonly table: Readonly<Record<string, unknown>>;
  /** Path of `server.properties`, or null. */
  readonly file: string | null;
  readonly durability: string | null;
  /** Whether everything is to be kept in memory. */
  readonly memory: boolean;
  /** Path of the data directory, where a flag gives one; it wins over `log.dirs`. */
  readonly data?: string | undefined;
  /** `name=value`, the last of equal names counts. */
  readonly set: readonly string[];
}

/** All configs by name. Throws an `OperatorError` (usage) for what cannot be read. */
export function configTexts(sources: ConfigSources): Map<string, string> {
  const texts = new Map<string, string>(flatten(sources.table, ""));
  if (sources.file !== null) {
    for (const [name, value] of parseProperties(readConfigFile(sources.file))) {
      texts.set(name, value);
    }
  }
  if (sources.durability !== null) texts.set("kstream.durability", sources.durability);
  for (const text of sources.set) {
    const equals = text.indexOf("=");
    if (equals < 1) {
      throw new OperatorError(
        `--set cannot be read: "${text}"`,
        "it is no name=value",
        "write --set log.retention.ms=3600000",
        2,
      );
    }
    texts.set(text.slice(0, equals).trim(), text.slice(equals + 1).trim());
  }
  if (sources.data !== undefined) {
    texts.delete("log.dirs");
    texts.set("log.dir", sources.data);
  }
  if (sources.memory) texts.set("kstream.storage", "memory");
  return texts;
}

/** Absolute paths of the data directories, as `log.dirs` or `log.dir` names them. */
export function dataDirsOf(config: BrokerConfig): string[] {
  const paths = config.get("log.dirs") ?? config.get("log.dir");
  return paths.map((path) => resolve(path));
}

/** The parsed configuration; every problem is told, not only the first. */
export function parseConfig(texts: ReadonlyMap<string, string>): BrokerConfig {
  const parsed = BrokerConfig.parse(texts);
  if (parsed.ok) return parsed.config;
  throw new OperatorError("the configuration is refused", parsed.problems.join("; "), "", 2);
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot read ${path}`, why, "check --config", 2);
  }
}

/** `[broker.log] retention.ms = 1` and `[broker] "log.retention.ms" = 1` mean the same. */
function* flatten(table: object, prefix: string): Iterable<[string, string]> {
  for (const [key, value] of Object.entries(table)) {
    const name = `${prefix}${key}`;
    if (Array.isArray(value)) yield [name, value.map(String).join(",")];
    else if (typeof value === "object" && value !== null) yield* flatten(value, `${name}.`);
    else yield [name, String(value)];
  }
}

/** The listeners from flags, else from `listeners` and `advertised.listeners`, with their protocols. */
export function chooseListeners(
  flags: {
    readonly listen: readonly string[];
    readonly advertise: readonly string[];
    readonly tlsCert?: string | undefined;
  },
  config: BrokerConfig,
): ListenerSpec[] {
  const fromConfig = (name: "listeners" | "advertised.listeners"): string[] => {
    if (!config.isSet(name)) return [];
    // In Kafka a node that is both has listeners of its controller; here there is no such port.
    const controllers = config.get("controller.listener.names");
    return (config.get(name) ?? []).filter((text) =>
      !controllers.some((controller) => text.startsWith(`${controller}://`))
    );
  };
  return listenerSpecs(
    flags.listen.length > 0 ? flags.listen : fromConfig("listeners"),
    flags.advertise.length > 0 ? flags.advertise : fromConfig("advertised.listeners"),
    flags.tlsCert === undefined ? DEFAULT_LISTENER : "SSL",
  ).map((listener) => {
    const protocol = protocolOf(listener.name, config);
    return protocol === "PLAINTEXT" ? listener : { ...listener, protocol };
  });
}

/** What a listener speaks. One that was to be secured must not be served in plain text. */
function protocolOf(name: string, config: BrokerConfig): SecurityProtocol {
  const map = config.get("listener.security.protocol.map");
  const protocols = new Map(
    map.split(",").map((entry): [string, string] => {
      const [listener = "", protocol = ""] = entry.split(":");
      return [listener.trim().toUpperCase(), protocol.trim().toUpperCase()];
    }),
  );
  const protocol = protocols.get(name.toUpperCase()) ?? "PLAINTEXT";
  if (protocol === "PLAINTEXT" || protocol === "SSL") return protocol;
  throw new OperatorError(
    `the listener ${name} wants ${protocol}`,
    "there are PLAINTEXT and SSL, no SASL for clients yet",
    "rename it, or change listener.security.protocol.map",
    2,
  );
}
