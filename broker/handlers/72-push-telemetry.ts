/**
 * PushTelemetry, version 0 (KIP-714): takes the metrics that a client was asked for. Checks, in
 * Kafka's order: no id or a client that has taken leave (INVALID_REQUEST), too early
 * (THROTTLING_QUOTA_EXCEEDED), an old subscription (UNKNOWN_SUBSCRIPTION_ID), a codec that is not
 * known (UNSUPPORTED_COMPRESSION_TYPE), too much (TELEMETRY_TOO_LARGE, also once it is unpacked), no
 * metrics (INVALID_RECORD).
 */
import { pushTelemetry } from "../../core/protocol/72-push-telemetry.ts";
import type { Handler } from "../handler.ts";

export const pushTelemetryHandler: Handler<typeof pushTelemetry> = {
  api: pushTelemetry,
  authorize: { kind: "open", reason: "a client tells of itself only, as in Kafka" },
  handle(context, request, broker) {
    return { errorCode: broker.telemetry.push(request, context) };
  },
};
