/**
 * Passes on to the controller what clients ask any broker and only the controller does (KIP-590): the
 * request as it came, who sent it and from where. What comes back is the client's response. Kafka's
 * `ForwardingManager`, but for one thing: a change is in force here, too, before its client is told,
 * as far as that takes no longer than a moment. So who has made a topic can write to it, and who has
 * changed a config sees it, at the broker that was asked.
 */
import { ConnectionError as PeerError } from "../../core/connection.ts";
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { ipFromBytes, ipToBytes } from "../../core/ip-address.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import { envelope } from "../../core/protocol/58-envelope.ts";
import {
  decodeResponse,
  decodeResponseHeader,
  decodeVersioned,
  encodeResponseFrame,
  encodeVersioned,
  joinChunks,
  ProtocolError,
  type RequestHeader,
} from "../../core/protocol/codec.ts";
import { defaultPrincipalData } from "../../core/protocol/records/principal.ts";
import type { Api, RequestOf, ResponseOf } from "../../core/protocol/schema.ts";
import type { Principal } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import type { ResponseChunks } from "../connection.ts";
import { ConnectionError } from "../connection-error.ts";
import { failureResponse } from "../failure-response.ts";
import type { AnyHandler } from "../handler.ts";
import type { ConnectionState } from "../request-context.ts";

/** With all tries: clients hear why before their own patience ends, as a rule 30 s. Kafka: 60 s. */
const TIMEOUT_MS = 25_000;
/** Beyond the time that a request gives itself: within that the controller answers. */
const GRACE_MS = 1000;
/** So long a client waits at most for its change on this broker. */
const IN_FORCE_MS = 1000;
const LENGTH_BYTES = 4;
const NO_ADDRESS = new Uint8Array(4);

/** Whether this broker has to pass requests of this handler on. */
export function isForwarded(broker: Broker, handler: AnyHandler): boolean {
  return handler.forwards !== undefined && broker.cluster !== null && !broker.controller.isActive;
}

/** What is passed on. */
export interface ForwardedRequest {
  readonly handler: AnyHandler;
  readonly header: RequestHeader;
  /** From the header on. */
  readonly frame: Uint8Array;
  readonly request: RequestOf<Api>;
}

/** The client's response. Rejects with a `ConnectionError` where there can be none. */
export async function forward(
  broker: Broker,
  forwarded: ForwardedRequest,
  connection: ConnectionState,
): Promise<ResponseChunks> {
  const { principal: { type, name }, peerAddress, signal } = connection;
  const { api } = forwarded.handler;
  try {
    const answer = await broker.cluster?.peers.requestController(
      envelope,
      {
        requestData: forwarded.frame,
        requestPrincipal: encodeVersioned(defaultPrincipalData, 0, {
          type,
          name,
          tokenAuthenticated: false,
        }),
        clientHostAddress: ipToBytes(peerAddress.host) ?? NO_ADDRESS,
      },
      ({ errorCode }) => errorCode === Errors.NOT_CONTROLLER,
      { timeoutMs: patienceMs(forwarded.request), signal, use: "forwarding" },
    );
    const response = clientsResponse(broker, forwarded, answer);
    if (forwarded.handler.forwards === "change") await untilInForce(broker, signal);
    return framed(broker, forwarded, connection, response);
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    if (signal.aborted) throw new ConnectionError("the connection is gone");
    if (error.failure === "unsupported") {
      throw new ConnectionError(`the controller does not take ${api.name}`);
    }
    const { message: reason } = error;
    broker.logger.warn("a request cannot be passed on to the controller", {
      api: api.name,
      reason,
    });
    return failure(forwarded, Errors.REQUEST_TIMED_OUT);
  }
}

function patienceMs(request: RequestOf<Api>): number {
  const own = "timeoutMs" in request ? Number(request.timeoutMs) : TIMEOUT_MS;
  return Math.min(TIMEOUT_MS, Math.max(0, own) + GRACE_MS);
}

function clientsResponse(
  broker: Broker,
  forwarded: ForwardedRequest,
  answer: ResponseOf<typeof envelope> | undefined,
): Uint8Array {
  const { handler, header } = forwarded;
  const { errorCode = Errors.UNKNOWN_SERVER_ERROR, responseData = null } = answer ?? {};
  if (errorCode === Errors.UNSUPPORTED_VERSION) {
    const what = `${handler.api.name} version ${header.apiVersion}`;
    throw new ConnectionError(`got ${what}, which the controller does not serve`);
  }
  if (errorCode === Errors.NONE && responseData !== null && responseData.length >= 4) {
    const view = new DataView(responseData.buffer, responseData.byteOffset);
    if (view.getInt32(0) === header.correlationId) return responseData;
  }
  broker.logger.error("the controller has not answered a request that was passed on to it", {
    api: handler.api.name,
    error: errorName(errorCode),
  });
  return joinChunks(failure(forwarded, Errors.UNKNOWN_SERVER_ERROR)).subarray(LENGTH_BYTES);
}

/**
 * Resolves when this broker has what the controller has now: the position is in its answer to
 * ApiVersions. Gives up after a moment, since the change itself is done.
 */
async function untilInForce(broker: Broker, signal: AbortSignal): Promise<void> {
  const { clock } = broker.io;
  const deadlineMs = clock.monotonicMs() + IN_FORCE_MS;
  const software = { clientSoftwareName: "kstream", clientSoftwareVersion: "0" };
  const limits = { timeoutMs: IN_FORCE_MS, signal, use: "position" };
  const { metadata, cluster } = broker;
  const asked = await cluster?.peers.requestController(apiVersions, software, () => false, limits)
    .catch((error: unknown) => {
      if (error instanceof PeerError) return undefined;
      throw error;
    });
  const position = Number(asked?.finalizedFeaturesEpoch ?? 0n);
  if (metadata.image.position >= position) return;
  await new Promise<void>((resolve) => {
    const settle = () => {
      timer.cancel();
      unsubscribe();
      resolve();
    };
    const timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), settle);
    const unsubscribe = metadata.onChange((_delta, image) => {
      if (image.position >= position) settle();
    });
  });
}

/** The response with its length before it; what it says to the client is noted, and to its quota. */
function framed(
  broker: Broker,
  { handler: { api }, header }: ForwardedRequest,
  connection: ConnectionState,
  response: Uint8Array,
): ResponseChunks {
  const { bodyOffset } = decodeResponseHeader(api, header.apiVersion, response);
  const body = decodeResponse(api, header.apiVersion, response, bodyOffset);
  connection.activity.answered(api, body, () => broker.io.clock.wallMs());
  const throttleMs = "throttleTimeMs" in body ? Number(body.throttleTimeMs) : 0;
  if (throttleMs > 0) connection.throttle(throttleMs);
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setInt32(0, response.length);
  return [length, response];
}

function failure({ handler, header, request }: ForwardedRequest, code: ErrorCode): ResponseChunks {
  const { api } = handler;
  const response = failureResponse(handler, request, code);
  if (response === null) throw new ConnectionError(`${api.name} failed: ${errorName(code)}`);
  return encodeResponseFrame(api, header.apiVersion, header.correlationId, response);
}

/** Who has sent a request that was passed on, or null if these bytes do not say it. */
export function decodePrincipal(bytes: Uint8Array | null): Principal | null {
  if (bytes === null) return null;
  try {
    const { type, name } = decodeVersioned(defaultPrincipalData, bytes);
    return { type, name };
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** The address of 4 or 16 bytes, or null. */
export function decodeAddress(bytes: Uint8Array): string | null {
  return bytes.length === 4 || bytes.length === 16 ? ipFromBytes(bytes) : null;
}
