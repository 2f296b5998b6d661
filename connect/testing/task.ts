/** What runs of sources and sinks under test have in common: config, context, deadlines. */
import { systemClock } from "../../core/io/system-clock.ts";
import { createLogger } from "../../core/logger.ts";
import type { ConfigOf, Fields } from "../config/fields.ts";
import { dynamicPart } from "../config/dynamic-keys.ts";
import { ConfigError, parseConfig, unknownKeys } from "../config/parse.ts";
import type { RawConfig } from "../config/parse.ts";
import type { ConnectorDefinition, TaskClock, TaskContext } from "../connector.ts";
import { realClock } from "./clocks.ts";

/** How a task is run. */
export interface RunOptions {
  /** Default: the machine's. */
  readonly clock?: TaskClock;
  /** Its name in logs. Default "test". */
  readonly connector?: string;
  /** Default 0. */
  readonly task?: number;
  /** How long anything may take by the machine's clock before the test fails. Default 20 s. */
  readonly timeoutMs?: number;
}

/** Config by its fields, checked as `validate` does. Throws `ConfigError`. */
export function readConfig<F extends Fields>(
  definition: {
    readonly config: F;
    readonly dynamicKeys?: readonly string[];
    check?(
      config: ConfigOf<F>,
      dynamic: RawConfig,
    ): ReturnType<NonNullable<ConnectorDefinition["check"]>>;
  },
  raw: RawConfig,
): { readonly config: ConfigOf<F>; readonly dynamic: RawConfig } {
  const config = parseConfig(definition.config, raw);
  const dynamic = dynamicPart(raw, definition.dynamicKeys ?? []);
  const unknown = unknownKeys(raw, Object.keys(definition.config))
    .filter(({ field }) => !Object.hasOwn(dynamic, field));
  const problems = [...unknown, ...definition.check?.(config, dynamic) ?? []];
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, dynamic };
}

/** What the runtime would give its tasks: what the connector divides its config into. */
export async function taskConfigs<F extends Fields>(
  definition: {
    readonly kind: "source" | "sink";
    readonly config: F;
    tasks?(
      config: ConfigOf<F>,
      raw: RawConfig,
      max: number,
      signal: AbortSignal,
    ): Promise<RawConfig[]> | RawConfig[];
  },
  raw: RawConfig,
  max = 1,
): Promise<RawConfig[]> {
  const { config } = readConfig(definition, raw);
  if (definition.tasks !== undefined) {
    return await definition.tasks(config, raw, max, new AbortController().signal);
  }
  return definition.kind === "source" ? [raw] : Array.from({ length: max }, () => raw);
}

/** A task under test: its context, what it has said, and its end. */
export class TestTask<C> {
  /** What it has logged, a line each: `level message key=value`. */
  readonly log: string[] = [];
  /** The latest figures. */
  readonly gauges = new Map<string, number>();
  readonly context: TaskContext<C>;
  readonly #abort = new AbortController();
  readonly #timeoutMs: number;

  constructor(
    { config, dynamic }: { readonly config: C; readonly dynamic: RawConfig },
    options: RunOptions,
  ) {
    const clock = options.clock ?? realClock;
    this.#timeoutMs = options.timeoutMs ?? 20_000;
    this.context = {
      config,
      dynamic,
      connector: options.connector ?? "test",
      task: options.task ?? 0,
      signal: this.#abort.signal,
      clock,
      log: createLogger({
        level: "debug",
        format: "text",
        wallMs: () => clock.wallMs(),
        write: (line) => void this.log.push(line.slice(line.indexOf(" ") + 1)),
      }),
      gauge: (name, value) => void this.gauges.set(name, value),
      cluster: null,
    };
  }

  /** Aborts its signal. */
  abort(): void {
    this.#abort.abort();
  }

  /** Rejects where it takes too long; `what` says what was waited for. */
  async within<T>(promise: Promise<T>, what: () => string): Promise<T> {
    let timer = null as ReturnType<typeof systemClock.setTimer> | null;
    const late = new Promise<never>((_resolve, reject) => {
      timer = systemClock.setTimer(this.#timeoutMs, () => {
        const said = this.log.length === 0 ? "" : `; it said:\n${this.log.slice(-20).join("\n")}`;
        reject(new Error(`waited ${this.#timeoutMs} ms for ${what()}${said}`));
      });
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      timer?.cancel();
    }
  }
}
