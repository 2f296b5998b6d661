/**
 * What happens to a record that cannot go on (KIP-298): it is tried again while the failure may pass,
 * then it fails the task, or is left out, with a dead letter where there is a topic for them.
 */
import { sleep } from "../../core/io.ts";
import type { Clock, Random } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { CommonConfig } from "../config/connector-fields.ts";
import { RetriableError } from "../connector.ts";
import { Backoff } from "../../core/backoff.ts";
import type { DeadLetters, RefusedRecord } from "./dead-letters.ts";
import type { Stage } from "./pipeline.ts";
import { StageError } from "./pipeline.ts";

/** Pause before the first new attempt, as in Connect. */
const FIRST_PAUSE_MS = 300;

/** What was done with records so far. */
export interface ErrorFigures {
  /** Records that could not go on. */
  errors: number;
  /** Of those, records that have failed the task. */
  failures: number;
  /** When the last of them was, since 1970; 0: there was none. */
  lastErrorMs: number;
  /** Attempts that failed and were made again. */
  retries: number;
  /** Records that were left out. */
  skipped: number;
  /** Of those, records for which there is a dead letter. */
  deadLetters: number;
}

/** See the head of the file. */
export class ErrorPolicy {
  readonly figures: ErrorFigures = {
    errors: 0,
    failures: 0,
    lastErrorMs: 0,
    retries: 0,
    skipped: 0,
    deadLetters: 0,
  };
  /** Whether records that cannot go on are left out; else they fail the task. */
  readonly tolerates: boolean;

  constructor(
    readonly clock: Clock,
    readonly random: Random,
    readonly config: CommonConfig,
    readonly deadLetters: DeadLetters | null,
    readonly log: Logger,
    readonly signal: AbortSignal,
  ) {
    const tolerance = config["errors.tolerance"] ?? (deadLetters === null ? "none" : "all");
    this.tolerates = tolerance === "all";
  }

  /**
   * The result of `body`, which is tried again while it throws `RetriableError` and
   * `errors.retry.timeout` lasts. Throws what it threw last.
   */
  async attempt<T>(body: () => T): Promise<T> {
    const patienceMs = this.config["errors.retry.timeout"];
    const startMs = this.clock.monotonicMs();
    const pauses = new Backoff(
      this.random,
      FIRST_PAUSE_MS,
      this.config["errors.retry.delay.max.ms"],
    );
    for (;;) {
      try {
        return body();
      } catch (error) {
        const cause = error instanceof StageError ? error.cause : error;
        const isOver = patienceMs >= 0 && this.clock.monotonicMs() - startMs >= patienceMs;
        if (!(cause instanceof RetriableError) || isOver) throw error;
        this.figures.retries++;
        await sleep(this.clock, pauses.nextMs(), this.signal);
      }
    }
  }

  /**
   * The record cannot go on. Resolves when it is dealt with, its dead letter sent; throws the error,
   * with the record's place in its message, where it is not to be left out.
   */
  async refuse(record: RefusedRecord, stage: Stage, error: unknown): Promise<void> {
    const place = placeOf(record);
    this.figures.errors++;
    this.figures.lastErrorMs = this.clock.wallMs();
    if (this.config["errors.log.enable"] || !this.tolerates) {
      const where = this.config["errors.log.include.messages"] || !this.tolerates ? { place } : {};
      this.log.error("a record cannot go on", { stage, error: messageOf(error), ...where });
    }
    if (this.deadLetters !== null) {
      await this.deadLetters.send(record, stage, error);
      this.figures.deadLetters++;
    }
    if (!this.tolerates) {
      this.figures.failures++;
      throw new Error(`${place}: ${messageOf(error)} (${stage})`, { cause: error });
    }
    this.figures.skipped++;
  }
}

function placeOf({ topic, partition, offset }: RefusedRecord): string {
  return offset === null ? `a record for ${topic}` : `${topic}-${partition} at offset ${offset}`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
