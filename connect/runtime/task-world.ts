/** What tasks need of the worker that they run on. */
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import { sleep } from "../../core/io.ts";
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { TaskClock } from "../connector.ts";
import type { OffsetStore } from "../offsets/offset-store.ts";

/** See the head of the file. */
export interface TaskWorld {
  readonly io: ClientIo;
  /** How the cluster is reached; a task adds its own client id. */
  readonly client: ClientOptions;
  readonly codecs: Codecs;
  readonly offsets: OffsetStore;
  readonly log: Logger;
  readonly settings: WorkerSettings;
  /** A text without what references to secrets stand for. Left out: there are none. */
  readonly hidden?: (text: string) => string;
}

/** Settings of a worker that its tasks go by; Kafka's names in `worker-fields.ts`. */
export interface WorkerSettings {
  /** Of distributed workers; part of the names of transactional ids. */
  readonly groupId: string;
  /** How often offsets are stored. */
  readonly offsetFlushIntervalMs: number;
  /** How long a task may take to come to its end before it is left alone. */
  readonly taskShutdownTimeoutMs: number;
}

/** Time as connectors see it: a sleep that is cut short is no error. */
export function taskClock(clock: Clock): TaskClock {
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    sleep: async (ms, signal) => {
      try {
        await sleep(clock, ms, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}
