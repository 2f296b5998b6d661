/**
 * What the quotas of a client make of a response: it says for how long the client is slowed down,
 * and a fetch beyond its quota brings no records (Kafka's `KafkaApis` and `RequestHandlerHelper`).
 */
import { Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { shareFetch } from "../../core/protocol/78-share-fetch.ts";
import type { Api, EncodableResponse } from "../../core/protocol/schema.ts";
import type { RequestContext } from "../request-context.ts";
import type { ClientQuotaManager } from "./client-quota-manager.ts";

/** What a request took. */
export interface RequestCost {
  /** What the handler answers; null if the request wants no response. */
  readonly response: EncodableResponse<Api> | null;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** How long this process was busy with it. */
  readonly busyMs: number;
}

/** The response to be sent: the same one if the client is within its quotas. */
export function slowDown(
  quotas: ClientQuotaManager,
  api: Api,
  context: RequestContext,
  { response, requestBytes, responseBytes, busyMs }: RequestCost,
): EncodableResponse<Api> | null {
  let slowed = response;
  let throttleMs = throttleTimeOf(response);
  if (api.key === produce.key) {
    throttleMs = Math.max(throttleMs, quotas.produced(context, requestBytes));
  } else if (api.key === fetch.key || api.key === shareFetch.key) {
    const fetchMs = quotas.fetched(context, responseBytes);
    // Records that share consumers have acquired are theirs, and have to reach them.
    if (fetchMs > 0 && api.key === fetch.key && response !== null) {
      slowed = withoutRecords(response);
    }
    throttleMs = Math.max(throttleMs, fetchMs);
  }
  throttleMs = Math.max(throttleMs, quotas.wasBusy(context, busyMs));
  if (throttleMs === 0) return response;
  context.connection.throttle(throttleMs);
  if (slowed === null || !("throttleTimeMs" in api.response.fields)) return slowed;
  return { ...slowed, throttleTimeMs: throttleMs };
}

function throttleTimeOf(response: EncodableResponse<Api> | null): number {
  if (response === null || !("throttleTimeMs" in response)) return 0;
  return typeof response.throttleTimeMs === "number" ? response.throttleTimeMs : 0;
}

/** The client asks for the same again, with the same session. */
function withoutRecords(response: EncodableResponse<Api>): EncodableResponse<Api> {
  if ("errorCode" in response && response.errorCode !== Errors.NONE) return response;
  const sessionId = "sessionId" in response ? response.sessionId : 0;
  return { errorCode: Errors.NONE, sessionId, responses: [] };
}
