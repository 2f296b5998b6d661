/** A task at work, whatever it does. */
import type { SinkDefinition, SourceDefinition } from "../connector.ts";
import type { CommonConfig, SourceConfig } from "../config/connector-fields.ts";
import type { RawConfig } from "../config/parse.ts";
import type { TaskId } from "../worker/status.ts";
import type { Pipeline } from "./pipeline.ts";

/** Everything a task begins with: parsed, secrets resolved. */
interface PreparedTask {
  readonly id: TaskId;
  readonly common: CommonConfig;
  readonly pipeline: Pipeline;
  /** What the definition's fields have made of the task's config. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What it has under the definition's `dynamicKeys`. */
  readonly dynamic: RawConfig;
  /** Keys that set up clients, as `producer.override.linger.ms`. */
  readonly raw: RawConfig;
}

export interface PreparedSource extends PreparedTask {
  readonly definition: SourceDefinition;
  readonly source: SourceConfig;
  /** Records and offsets in one transaction. */
  readonly exactlyOnce: boolean;
  fence?(): Promise<void>;
}

export interface PreparedSink extends PreparedTask {
  readonly definition: SinkDefinition;
}

/** See the head of the file. */
export interface RunningTask {
  /**
   * Works until it is stopped, or, of a source that ends, until all is safe. Rejects with what made it
   * fail. In either case nothing of it is left.
   */
  run(): Promise<void>;
  /** Has `run` come to its end in good order, or at once if `now`. */
  stop(now: boolean): void;
  pause(): void;
  resume(): void;
  /** What is measured of it, by name. */
  figures(): Readonly<Record<string, number>>;
}
