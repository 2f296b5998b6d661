/**
 * Levels of logging that can be set while a worker runs, by the names of loggers: `root`, `connect`,
 * `connect.NAME` for a connector of that name (KIP-495, KIP-976). A logger has the level of the
 * nearest name above it that has one. Levels are Connect's words.
 */
import type { LogFields, Logger, LogLevel } from "../../core/logger.ts";

const ROOT = "root";
/** How urgent a line of ours is among Connect's levels. */
const RANK: Readonly<Record<string, number>> = {
  ALL: 0,
  TRACE: 0,
  DEBUG: 1,
  INFO: 2,
  WARN: 3,
  ERROR: 4,
  FATAL: 5,
  OFF: 6,
};
const RANK_OF: Readonly<Record<LogLevel, number>> = { debug: 1, info: 2, warn: 3, error: 4 };

export interface LevelView {
  readonly level: string;
  /** Milliseconds since 1970; null: never changed. */
  readonly modifiedMs: number | null;
}

/** See the head of the file. */
export class LogLevels {
  readonly #levels = new Map<string, LevelView>();

  constructor(private readonly wallMs: () => number, rootLevel: LogLevel = "info") {
    this.#levels.set(ROOT, { level: rootLevel.toUpperCase(), modifiedMs: null });
  }

  /** Whether there is such a level. */
  static isLevel(level: string): boolean {
    return Object.hasOwn(RANK, level.toUpperCase());
  }

  /** Those that have a level of their own, in order. */
  get all(): readonly (readonly [name: string, view: LevelView])[] {
    return [...this.#levels].sort(([a], [b]) => a < b ? -1 : 1);
  }

  /** The level that counts for a logger; null: there is none of that name. */
  get(name: string): LevelView | null {
    if (!isName(name)) return null;
    return this.#levels.get(name) ?? { level: this.#effective(name), modifiedMs: null };
  }

  /** Sets it for the logger and all below; names of those whose level it is now. */
  set(name: string, level: string): string[] {
    if (!isName(name) || !LogLevels.isLevel(level)) return [];
    const view = { level: level.toUpperCase(), modifiedMs: this.wallMs() };
    const below = [...this.#levels.keys()].filter((other) => {
      return name === ROOT || other.startsWith(`${name}.`);
    });
    const affected = [...new Set([name, ...below])].sort();
    for (const each of affected) this.#levels.set(each, view);
    return affected;
  }

  /**
   * A logger of that name over one that writes everything. With a field `connector` it is that
   * connector's.
   */
  logger(name: string, base: Logger): Logger {
    const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
      if (RANK_OF[level] >= (RANK[this.#effective(name)] ?? 0)) base[level](message, fields);
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      with: (fields) => {
        const { connector } = fields;
        const inner = typeof connector === "string" ? `connect.${connector}` : name;
        return this.logger(inner, base.with(fields));
      },
    };
  }

  #effective(name: string): string {
    for (let at = name; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
      const found = this.#levels.get(at);
      if (found !== undefined) return found.level;
    }
    return this.#levels.get(ROOT)?.level ?? "INFO";
  }
}

function isName(name: string): boolean {
  return name === ROOT || name === "connect" || name.startsWith("connect.");
}
