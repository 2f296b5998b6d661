/**
 * GetTelemetrySubscriptions, version 0 (KIP-714): which of its metrics a client is to push, and how
 * often. Counters are asked for cumulatively, so that a push that is lost loses nothing. A zero id asks
 * for one. THROTTLING_QUOTA_EXCEEDED before the push interval is over.
 */
import { Errors } from "../../core/errors.ts";
import { getTelemetrySubscriptions } from "../../core/protocol/71-get-telemetry-subscriptions.ts";
import { ACCEPTED_COMPRESSION } from "../client-telemetry.ts";
import type { Handler } from "../handler.ts";

export const getTelemetrySubscriptionsHandler: Handler<typeof getTelemetrySubscriptions> = {
  api: getTelemetrySubscriptions,
  authorize: { kind: "open", reason: "a client tells of itself only, as in Kafka" },
  handle(context, request, broker) {
    const outcome = broker.telemetry.subscribe(request.clientInstanceId, context);
    if (!outcome.ok) return { errorCode: outcome.error };
    return {
      errorCode: Errors.NONE,
      ...outcome.value,
      acceptedCompressionTypes: ACCEPTED_COMPRESSION,
      telemetryMaxBytes: broker.config.get("telemetry.max.bytes"),
      deltaTemporality: false,
    };
  },
};
