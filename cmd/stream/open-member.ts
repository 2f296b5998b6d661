/** A member of an application's group in this thread. */
import { bunCodecs } from "../../core/compression/bun.ts";
import type { Logger } from "../../core/logger.ts";
import { memoryState } from "../../stream/runtime/memory-state.ts";
import { StreamsApp } from "../../stream/runtime/streams-app.ts";
import { type StreamsConfig, threadConfig } from "../../stream/runtime/streams-config.ts";
import type { StateDirectory } from "../../stream/stores/state-directory.ts";
import type { Topology } from "../../stream/topology/topology.ts";
import { snapshotsOf } from "./open-snapshots.ts";
import { clientIo, clientOptions } from "../client.ts";
import type { RunOptions } from "./run.ts";

export interface MemberSetup {
  readonly topology: Topology;
  /** Of the process. */
  readonly config: StreamsConfig;
  readonly options: RunOptions;
  readonly logger: Logger;
  /** Null: stores are in memory, or there are none. */
  readonly directory: StateDirectory | null;
  readonly processId: string;
  /** From 1 on. */
  readonly thread: number;
  /** Where its stores can be asked; null: nowhere. */
  readonly endpoint: string | null;
}

/** See the head of the file. */
export function openMember(
  { topology, config, options, logger, directory, processId, thread, endpoint }: MemberSetup,
): StreamsApp {
  const { applicationId, threads } = config;
  const clientId = threads === 1 ? applicationId : `${applicationId}-StreamThread-${thread}`;
  return new StreamsApp({
    io: clientIo,
    client: { ...clientOptions(options), clientId },
    codecs: bunCodecs,
    topology,
    config: threadConfig(config, thread),
    logger,
    state: directory ?? memoryState,
    snapshots: directory === null ? null : snapshotsOf(config),
    processId,
    thread,
    endpoint,
  });
}
