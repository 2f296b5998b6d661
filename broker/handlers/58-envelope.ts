/**
 * Envelope, version 0 (KIP-590): a request that another broker passes on, answered here as if its sender
 * had asked the controller itself: with that one's rights, quotas and address. For brokers
 * (CLUSTER_ACTION); the client's own rights are looked at by the handler of its request.
 *
 * NOT_CONTROLLER tells the broker to look for the controller again; INVALID_REQUEST is for what is not
 * to be passed on, UNSUPPORTED_VERSION for a version that is not served here,
 * PRINCIPAL_DESERIALIZATION_FAILURE for a sender that cannot be read.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { envelope } from "../../core/protocol/58-envelope.ts";
import { decodeRequestHeader, joinChunks, ProtocolError } from "../../core/protocol/codec.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { ClientActivity } from "../client-activity.ts";
import { decodeAddress, decodePrincipal } from "../cluster/forwarding.ts";
import type { ResponseChunks } from "../connection.ts";
import { ConnectionError } from "../connection-error.ts";
import type { Handler } from "../handler.ts";
import type { ConnectionState } from "../request-context.ts";
import { RequestRouter } from "../request-router.ts";

const LENGTH_BYTES = 4;

/** Serves the API; see the head of this file. */
export const envelopeHandler: Handler<typeof envelope> = {
  api: envelope,
  // Requests of different clients, of which none has to wait for another.
  pipelined: true,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => refuse(Errors.CLUSTER_AUTHORIZATION_FAILED),
  },
  async handle(context, request, broker) {
    if (!broker.controller.isActive) return refuse(Errors.NOT_CONTROLLER);
    const principal = decodePrincipal(request.requestPrincipal);
    if (principal === null) return refuse(Errors.PRINCIPAL_DESERIALIZATION_FAILURE);
    const host = decodeAddress(request.clientHostAddress);
    if (host === null) return refuse(Errors.INVALID_REQUEST);
    const unfit = problemOf(broker, request.requestData);
    if (unfit !== null) return refuse(unfit);
    const { clock } = broker.io;
    const activity = new ClientActivity(clock.wallMs(), clock.monotonicMs());
    const { id, listener, localAddress, signal } = context.connection;
    const chunks = await answer(broker, request.requestData, {
      id,
      listener,
      localAddress,
      peerAddress: { host, port: 0 },
      signal,
      principal,
      clientSoftware: null,
      activity,
      // The client is told to wait, and the connection is others' as well.
      throttle: () => {},
      close: () => {},
    });
    if (chunks === null) return refuse(Errors.UNKNOWN_SERVER_ERROR);
    if (activity.lastError?.code === Errors.NOT_CONTROLLER) return refuse(Errors.NOT_CONTROLLER);
    return { errorCode: Errors.NONE, responseData: joinChunks(chunks).subarray(LENGTH_BYTES) };
  },
};

function refuse(errorCode: ErrorCode) {
  return { errorCode, responseData: null };
}

/** Why this is nothing that the controller would do for another broker, or null. */
function problemOf(broker: Broker, frame: Uint8Array): ErrorCode | null {
  try {
    const { apiKey, apiVersion } = decodeRequestHeader(frame, broker.apis.definitions);
    const served = broker.apis.get(apiKey);
    if (served?.handler.forwards === undefined) return Errors.INVALID_REQUEST;
    const isKnown = apiVersion >= served.minVersion && apiVersion <= served.maxVersion;
    return isKnown ? null : Errors.UNSUPPORTED_VERSION;
  } catch (error) {
    if (error instanceof ProtocolError) return Errors.INVALID_REQUEST;
    throw error;
  }
}

/** Null where the client would have been hung up on. */
async function answer(
  broker: Broker,
  frame: Uint8Array,
  connection: ConnectionState,
): Promise<ResponseChunks | null> {
  try {
    return await new RequestRouter(broker).parse(frame, connection, "here").run();
  } catch (error) {
    if (error instanceof ConnectionError) return null;
    throw error;
  }
}
