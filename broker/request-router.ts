/**
 * From a frame to its response: header, version, authorization, handler, encoding.
 *
 * What cannot be answered closes the connection with one log line, as in Kafka: an unknown API, a
 * version that is not served (save ApiVersions, KIP-511), a body that is no such request. An
 * exception of a handler is a bug: it is logged with its stack, and the client gets
 * UNKNOWN_SERVER_ERROR if its response has a place for it.
 */
import { AssertionError } from "../core/assert.ts";
import { Errors } from "../core/errors.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import {
  decodeRequest,
  decodeRequestHeader,
  encodeResponseFrame,
  ProtocolError,
  type RequestHeader,
} from "../core/protocol/codec.ts";
import type { Api, EncodableResponse, RequestOf } from "../core/protocol/schema.ts";
import { stackOf } from "../core/stack-of.ts";
import type { ServedApi } from "./api-table.ts";
import type { Broker } from "./broker.ts";
import { CLUSTER_PRINCIPAL } from "./cluster/cluster-secret.ts";
import type { ParsedRequest, ResponseChunks } from "./connection.ts";
import { ConnectionError } from "./connection-error.ts";
import type { AnyHandler, Handler } from "./handler.ts";
import { withFaults } from "./dev/faulty-handler.ts";
import { failureResponse } from "./failure-response.ts";
import { forward, isForwarded } from "./cluster/forwarding.ts";
import { unsupportedApiVersions } from "./handlers/18-api-versions.ts";
import { slowDown } from "./quotas/slow-down.ts";
import { type ConnectionState, type RequestContext, requestContext } from "./request-context.ts";

type Response = EncodableResponse<Api>;

/** Routes the requests of all connections. */
export class RequestRouter {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /**
   * Reads the header of a request. Throws a `ConnectionError` where there can be no answer. `where`: a
   * request that was passed on already is done here, or nowhere.
   */
  parse(
    frame: Uint8Array,
    connection: ConnectionState,
    where: "here" | "anywhere" = "anywhere",
  ): ParsedRequest {
    const header = this.#header(frame);
    const served = this.#broker.apis.get(header.apiKey);
    if (served === undefined) {
      throw new ConnectionError(
        `got API key ${header.apiKey} (version ${header.apiVersion}), which is not served`,
      );
    }
    const { handler } = served;
    const { apiVersion } = header;
    const metrics = this.#broker.metrics.apis.of(handler.api);
    if (apiVersion < served.minVersion || apiVersion > served.maxVersion) {
      return this.#unsupported(header, served);
    }
    return {
      correlationId: header.correlationId,
      metrics,
      pipelined: handler.pipelined === true,
      releasesFrame: handler.releasesFrame === true,
      run: () => {
        connection.activity.started(handler.api, header.clientId);
        if (where === "anywhere" && isForwarded(this.#broker, handler)) {
          const request = decodeBody(handler.api, header, frame);
          return forward(this.#broker, { handler, header, frame, request }, connection);
        }
        const context = requestContext(connection, header, this.#broker.authorizer);
        const faults = this.#broker.dev?.faults;
        const served = faults === undefined || faults.isEmpty
          ? handler
          : withFaults(handler, faults);
        // Quotas are for clients: a follower that is slowed down would leave the ISR.
        return this.#broker.quotas.isActive && context.principal !== CLUSTER_PRINCIPAL
          ? this.#runMetered(served, header, frame, context)
          : this.#run(
            served,
            header,
            frame,
            context,
            (response) => this.#encode(handler, header, context, response),
          );
      },
    };
  }

  #header(frame: Uint8Array): RequestHeader {
    try {
      return decodeRequestHeader(frame, this.#broker.apis.definitions);
    } catch (error) {
      throw malformed("a request header", error);
    }
  }

  #unsupported(header: RequestHeader, served: ServedApi): ParsedRequest {
    if (header.apiKey === apiVersions.key) {
      return {
        correlationId: header.correlationId,
        metrics: this.#broker.metrics.apis.of(apiVersions),
        pipelined: false,
        releasesFrame: false,
        run: () =>
          encodeResponseFrame(apiVersions, 0, header.correlationId, unsupportedApiVersions),
      };
    }
    throw new ConnectionError(
      `got ${served.handler.api.name} version ${header.apiVersion}; served are ` +
        `${served.minVersion} to ${served.maxVersion}`,
    );
  }

  #run(
    handler: AnyHandler,
    header: RequestHeader,
    frame: Uint8Array,
    context: RequestContext,
    finish: (response: Response | null) => ResponseChunks | null,
  ): ResponseChunks | null | Promise<ResponseChunks | null> {
    const request = decodeBody(handler.api, header, frame);
    const topics = handler.topicsOf?.(request);
    if (topics !== undefined) context.connection.activity.touched(topics);
    try {
      const result = authorize(handler, context, request) ??
        handler.handle(context, request, this.#broker);
      if (!(result instanceof Promise)) return finish(result);
      return result.then(finish).catch((error: unknown) =>
        finish(this.#failed(handler, context, request, error))
      );
    } catch (error) {
      return finish(this.#failed(handler, context, request, error));
    }
  }

  /** As `#run`, where somebody has a quota. Time is measured while this process was busy with it. */
  #runMetered(
    handler: AnyHandler,
    header: RequestHeader,
    frame: Uint8Array,
    context: RequestContext,
  ): ResponseChunks | null | Promise<ResponseChunks | null> {
    const { clock } = this.#broker.io;
    const startMs = clock.monotonicMs();
    let beforeWaitMs: number | null = null;
    const result = this.#run(handler, header, frame, context, (response) => {
      const resumedMs = clock.monotonicMs();
      const chunks = this.#encode(handler, header, context, response);
      const doneMs = clock.monotonicMs();
      const busyMs = beforeWaitMs === null ? doneMs - startMs : beforeWaitMs + doneMs - resumedMs;
      const slowed = slowDown(this.#broker.quotas, handler.api, context, {
        response,
        requestBytes: frame.length,
        responseBytes: chunks === null ? 0 : sizeOf(chunks),
        busyMs,
      });
      return slowed === response ? chunks : encode(handler, header, slowed);
    });
    beforeWaitMs = clock.monotonicMs() - startMs;
    return result;
  }

  #encode(
    handler: AnyHandler,
    header: RequestHeader,
    context: RequestContext,
    response: Response | null,
  ): ResponseChunks | null {
    if (response === null) return null;
    const { activity } = context.connection;
    const code = activity.answered(handler.api, response, () => this.#broker.io.clock.wallMs());
    if (code !== Errors.NONE) this.#broker.metrics.apis.of(handler.api).failed(code);
    return encode(handler, header, response);
  }

  /** What to answer after a bug. Throws if the connection must be closed. */
  #failed(
    handler: AnyHandler,
    context: RequestContext,
    request: RequestOf<Api>,
    error: unknown,
  ): Response {
    if (error instanceof ConnectionError) throw error;
    // Waits of handlers end with the signal's reason when the connection goes.
    if (context.signal.aborted) throw new ConnectionError("the connection is gone");
    this.#broker.logger.error("a request failed by an internal error", {
      api: handler.api.name,
      version: context.apiVersion,
      clientId: context.clientId,
      connection: context.connection.id,
      stack: stackOf(error),
    });
    if (error instanceof AssertionError) this.#broker.onBug(error);
    const response = failureResponse(handler, request, Errors.UNKNOWN_SERVER_ERROR);
    if (response === null) throw new ConnectionError("a request failed by an internal error");
    return response;
  }
}

function encode(
  handler: AnyHandler,
  header: RequestHeader,
  response: Response | null,
): ResponseChunks | null {
  return response === null
    ? null
    : encodeResponseFrame(handler.api, header.apiVersion, header.correlationId, response);
}

function sizeOf(chunks: ResponseChunks): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

function decodeBody(api: Api, header: RequestHeader, frame: Uint8Array): RequestOf<Api> {
  try {
    return decodeRequest(api, header.apiVersion, frame, header.bodyOffset);
  } catch (error) {
    throw malformed(`${api.name} version ${header.apiVersion}`, error);
  }
}

function malformed(what: string, error: unknown): unknown {
  if (!(error instanceof ProtocolError)) return error;
  return new ConnectionError(`got bytes that are not ${what}: ${error.message}`);
}

/** The denial of a request that is allowed or denied as a whole, or null if it may go on. */
export function authorize<A extends Api>(
  handler: Handler<A>,
  context: RequestContext,
  request: RequestOf<A>,
): EncodableResponse<A> | null {
  const rule = handler.authorize;
  if (rule.kind !== "request") return null;
  for (const wanted of rule.wants(request, context)) {
    const { operation, resourceType, name } = wanted;
    if (!context.authorized(operation, resourceType, name)) return rule.deny(request, wanted);
  }
  return null;
}
