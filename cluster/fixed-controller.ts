/**
 * A cluster whose controller is one process for good, as the supervisor of shards is: nobody else can be
 * elected, and nobody but that process has the metadata log.
 */
import type { ControllerElection, ElectedController } from "./controller-election.ts";
import {
  type MetadataAppendResult,
  type MetadataLog,
  MetadataUnavailableError,
} from "./metadata-log.ts";

/** The election as everybody else sees it: it was over before it began. */
export class FixedElection implements ControllerElection {
  readonly term = null;

  constructor(readonly controller: ElectedController) {}

  onChange(): () => void {
    return () => {};
  }

  /** Who stands for this one waits for ever. */
  campaign(): void {}

  depose(): Promise<void> {
    return Promise.resolve();
  }

  resign(): Promise<void> {
    return Promise.resolve();
  }
}

const WHY = "The metadata log is the controller's alone.";

/** The metadata log where another process has it: nothing can be read or written. */
export class LogElsewhere implements MetadataLog {
  readonly endPosition = 0;

  append(): Promise<MetadataAppendResult> {
    return Promise.resolve({ ok: false, reason: "unavailable", message: WHY });
  }

  read(): Promise<never> {
    return Promise.reject(new MetadataUnavailableError(WHY));
  }

  onAppend(): () => void {
    return () => {};
  }

  readSnapshot(): Promise<never> {
    return Promise.reject(new MetadataUnavailableError(WHY));
  }

  writeSnapshot(): Promise<never> {
    return Promise.reject(new MetadataUnavailableError(WHY));
  }
}
