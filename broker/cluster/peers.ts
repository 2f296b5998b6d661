/** Requests of a broker to the others of its cluster, on the listener that they use among themselves. */
import type { Connection, RequestOptions, VersionRange } from "../../core/connection.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";

/** How long a request for the controller may take, with all tries. */
export interface ControllerRequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** As `Peers.connect`: requests that must not wait for others have a use of their own. */
  readonly use?: string;
}

/** Connections are kept, one for each use of a broker; a broken one is made anew with the next request. */
export interface Peers {
  /**
   * A connection to the broker at the address that the metadata give it, an open one if there is one.
   * Uses that must not wait for each other have names of their own. Throws a `ConnectionError` if the
   * broker is not known or cannot be reached.
   */
  connect(brokerId: number, use: string, signal?: AbortSignal): Promise<Connection>;
  /** One request to a broker, without another try. Throws a `ConnectionError`. */
  request<A extends Api>(
    brokerId: number,
    api: A,
    request: EncodableRequest<A>,
    options?: RequestOptions,
  ): Promise<ResponseOf<A>>;
  /**
   * One request to the controller, whichever node that is, this one as well. Waits while there is none,
   * and tries again where it cannot be reached or `isOther(response)` says that the node is no longer
   * controller. Throws a `ConnectionError` when the time is over. A request that gets no answer is sent
   * again, so it has to be one that may be done twice.
   */
  requestController<A extends Api>(
    api: A,
    request: EncodableRequest<A>,
    isOther: (response: ResponseOf<A>) => boolean,
    options: ControllerRequestOptions,
  ): Promise<ResponseOf<A>>;
  /** The versions of an API that the controller serves, as far as is known; null: it is not. */
  controllerServes(apiKey: number): VersionRange | null;
  close(): Promise<void>;
}
