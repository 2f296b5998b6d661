/** Unpacks and reads what a client has pushed, or says with which error it is refused. */
import { codecFor, type Codecs } from "../../core/compression/codec.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { MalformedError } from "./protobuf.ts";
import { type PushedMetric, readMetrics } from "./pushed-metrics.ts";

/** Of a push once it is unpacked. */
const UNPACKED_BYTES_MAX = 4 * 1024 * 1024;

/** `data` is a `MetricsData` in protobuf. */
export type ReadPush =
  | { readonly ok: true; readonly data: Uint8Array; readonly metrics: readonly PushedMetric[] }
  | { readonly ok: false; readonly error: ErrorCode };

/** INVALID_RECORD for what is no metrics, as in Kafka; TELEMETRY_TOO_LARGE for what unpacks to too much. */
export function readPush(
  { compressionType, metrics }: { readonly compressionType: number; readonly metrics: Uint8Array },
  codecs: Codecs,
): ReadPush {
  try {
    const data = compressionType === 0
      ? metrics
      : codecFor(codecs, compressionType).decompress(metrics, UNPACKED_BYTES_MAX);
    if (data.length > UNPACKED_BYTES_MAX) return { ok: false, error: Errors.TELEMETRY_TOO_LARGE };
    return { ok: true, data, metrics: readMetrics(data) };
  } catch (error) {
    if (error instanceof MalformedError) return { ok: false, error: Errors.INVALID_RECORD };
    if (!(error instanceof CorruptRecordError)) throw error;
    const isTooLarge = error.code === Errors.MESSAGE_TOO_LARGE;
    return { ok: false, error: isTooLarge ? Errors.TELEMETRY_TOO_LARGE : Errors.INVALID_RECORD };
  }
}
