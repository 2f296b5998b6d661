import type { ErrorCode } from "../core/errors.ts";
import type { Api, EncodableResponse, RequestOf } from "../core/protocol/schema.ts";
import type { AclOperation, ResourceOperation, ResourceType } from "./authorizer.ts";
import type { Broker } from "./broker.ts";
import type { TopicReference } from "./client-activity.ts";
import type { RequestContext } from "./request-context.ts";

/**
 * What a request touches, and what happens to a sender who may not.
 *
 * - `open`: anybody may ask, as in Kafka; the reason says why nothing needs protection.
 * - `request`: all or nothing. The router asks the authorizer for everything that `wants` names,
 *   and sends what `deny` answers if one of them is refused; `handle` is not called then.
 * - `items`: the handler answers each item on its own and asks `context.authorized` for it.
 *   `operations` lists what it asks for, as Kafka's documentation of the protocol does.
 */
export type AuthorizeRule<A extends Api> =
  | { readonly kind: "open"; readonly reason: string }
  | {
    readonly kind: "request";
    wants(request: RequestOf<A>, context: RequestContext): readonly ResourceOperation[];
    deny(request: RequestOf<A>, denied: ResourceOperation): EncodableResponse<A>;
  }
  | {
    readonly kind: "items";
    readonly operations: readonly `${AclOperation} ${ResourceType}`[];
  };

/** What `handle` gives: a response, or null where the request wants none (produce with acks=0). */
export type HandlerResult<A extends Api> =
  | EncodableResponse<A>
  | null
  | Promise<EncodableResponse<A> | null>;

/** One API, served. One per file in `handlers/NN-name.ts`, collected in `handlers/index.ts`. */
export interface Handler<A extends Api> {
  readonly api: A;
  /** First and last version served, where they are not those of the definition. */
  readonly minVersion?: number;
  readonly maxVersion?: number;
  /** First version listed by ApiVersions, where it is not the first one served (KAFKA-18659). */
  readonly listedMinVersion?: number;
  readonly authorize: AuthorizeRule<A>;
  /**
   * Whether a request may start while earlier ones of the same connection that say the same are
   * unanswered. Requests always start in the order of arrival and are answered in it; so a
   * handler that does what must be in order before its first `await` may set this. Without it a
   * request waits until all before it are answered, as in Kafka.
   */
  readonly pipelined?: boolean;
  /**
   * Whether nothing of the request, no view of its bytes either, is looked at after the answer: the
   * memory of large requests is then used again.
   */
  readonly releasesFrame?: boolean;
  /**
   * Answers. What it throws is taken for a bug: it is logged with its stack, and the client gets
   * `failure`'s answer. Protocol errors are values in the response.
   *
   * `bytes` and `records` fields of the request are views into the frame, which is reused only with
   * `releasesFrame`; those of the response go to the socket by reference and must not change afterwards.
   */
  handle(context: RequestContext, request: RequestOf<A>, broker: Broker): HandlerResult<A>;
  /**
   * The response that says `code` for the whole request. Without it a response with a top-level
   * `errorCode` carries it there, and an API that has none closes the connection.
   */
  failure?(request: RequestOf<A>, code: ErrorCode): EncodableResponse<A>;
  /**
   * That it is the controller's work, and whether it changes metadata: in a cluster, other brokers pass
   * the request on to it (`cluster/forwarding.ts`), so that `handle` runs there alone.
   */
  readonly forwards?: "change" | "question";
  /** The topics whose data the request writes or reads, for the list of who is connected. */
  topicsOf?(request: RequestOf<A>): readonly TopicReference[];
}

/** A handler of whatever API; the router decodes by its `api` before it calls. */
export type AnyHandler = Handler<Api>;
