/**
 * What is counted of the requests of each API, where they come and go (Kafka's `RequestMetrics`). No
 * clock is read for it but for one in 16 of those that wait: all other times are readings that
 * connections make anyway.
 */
import type { ErrorCode } from "../../core/errors.ts";
import { Histogram } from "../../core/histogram.ts";

/** Of requests that are not answered in one go, how many have the time of their own work taken: one of these. */
const LOCAL_SAMPLING = 16;

/** The requests of one API. */
export class ApiMetrics {
  /** Requests that began, and those that are done with. */
  started = 0;
  finished = 0;
  /** Bytes of frames. */
  requestBytes = 0;
  responseBytes = 0;
  /** From the last bytes of a request to its answer's way into the socket, milliseconds. */
  readonly total = new Histogram();
  /** Of that, until it began: the sum of all. */
  queueMs = 0;
  /**
   * Of that, what the handler did at once, and of how many requests: of all that are answered without
   * waiting, and of one in 16 of the others.
   */
  localMs = 0;
  localCount = 0;
  /** How many answers had an error, by the first in them. */
  readonly errors = new Map<ErrorCode, number>();

  constructor(readonly name: string) {}

  /** An answer has an error. */
  failed(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  /** The handler was busy for so long, before it waited or was done. */
  busy(localMs: number): void {
    this.localMs += localMs;
    this.localCount++;
  }

  /** Whether the clock is to be read once more for the present request, which waits. */
  get samplesLocal(): boolean {
    return this.started % LOCAL_SAMPLING === 1;
  }
}

/** One per API key, made at its first request. */
export class ApisMetrics {
  readonly #byKey: (ApiMetrics | undefined)[] = [];

  /** Of an API that is served. */
  of({ key, name }: { readonly key: number; readonly name: string }): ApiMetrics {
    return this.#byKey[key] ??= new ApiMetrics(name);
  }

  /** Those that had a request, in the order of their keys. */
  *[Symbol.iterator](): Iterator<ApiMetrics> {
    for (const metrics of this.#byKey) if (metrics !== undefined) yield metrics;
  }
}
