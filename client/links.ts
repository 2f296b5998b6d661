/**
 * The connections of a client, one to each broker for each purpose, and which of them keep silent.
 * Silence alone ends none, since a broker may be only slow: it takes the word of others that nobody
 * needs to wait for this one (`giveUpMoot`).
 */
import { Connection, ConnectionError } from "../core/connection.ts";
import type { Authenticate } from "../core/connection.ts";
import { addressText, connectFailure } from "../core/connection-error.ts";
import type { HostPort } from "../core/io.ts";
import { saslAuthenticator } from "../core/sasl/authenticate.ts";
import { rejectIfAborted } from "../core/unless-aborted.ts";
import type { ClientIo, ResolvedClientOptions } from "./options.ts";

/** Connections of different purposes don't wait for one another's long polls. */
export type ConnectionPurpose = "main" | "fetch" | "coordinator";

/** For so long a broker that did not answer is asked after the others. */
const FAILED_MS = 30_000;

/** A connection, from the first attempt on. */
export interface Link {
  readonly address: HostPort;
  readonly purpose: ConnectionPurpose;
  /** Null while it is an address of which nobody has said whose it is. */
  nodeId: number | null;
  readonly opening: Promise<Connection>;
  /** The connection, also before it is open, once nothing was heard on it for a while. */
  silent: Connection | null;
}

/** See the head of the file. */
export class Links {
  #closed = false;
  readonly #closing = new AbortController();
  readonly #authenticate: Authenticate | null;
  readonly #links = new Map<string, Link>();
  /** When brokers were last found not to answer, by address. */
  readonly #failedMs = new Map<string, number>();

  constructor(
    readonly io: ClientIo,
    readonly options: ResolvedClientOptions,
    /** After so long without an answer, `onSilence` is called, again and again. */
    readonly silenceMs: number,
    readonly onSilence: () => void,
  ) {
    const { sasl } = options;
    this.#authenticate = io.authenticate ??
      (sasl === null ? null : saslAuthenticator(sasl, io.random));
  }

  /** Ends all, also those that are being opened; later use fails. */
  close(): void {
    this.#end((connection) => connection.close());
  }

  /** As `close`, and what was written and has not left the machine is not sent any more. */
  abort(): void {
    this.#end((connection) => connection.abort());
  }

  #end(end: (connection: Connection) => void): void {
    this.#closed = true;
    for (const { opening } of this.#links.values()) opening.then(end, () => {});
    this.#closing.abort();
    this.#links.clear();
  }

  /** The shared connection to an address, opened if need be. Throws a `ConnectionError`. */
  async connect(
    address: HostPort & { readonly nodeId?: number },
    purpose: ConnectionPurpose,
    signal?: AbortSignal,
  ): Promise<Connection> {
    if (this.#closed) throw new ConnectionError("aborted", address, "the client is closed");
    const key = `${address.host}:${address.port}/${purpose}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = this.#open({ host: address.host, port: address.port }, purpose);
      this.#links.set(key, link);
      this.#watch(key, link);
    }
    if (address.nodeId !== undefined) link.nodeId = address.nodeId;
    if (signal === undefined) return await link.opening;
    return await rejectIfAborted(
      link.opening,
      signal,
      () => connectFailure(address, signal.reason, signal),
    );
  }

  /** Those on which an answer is overdue. */
  silent(): Link[] {
    return [...this.#links.values()].filter(({ silent }) => silent?.isSilent === true);
  }

  /** Somebody there did not answer. */
  failed(address: HostPort): void {
    this.#failedMs.set(addressText(address), this.io.clock.monotonicMs());
  }

  /** In this order, but those that have not answered lately, or owe an answer, come last. */
  answeringFirst<A extends HostPort>(addresses: readonly A[]): A[] {
    const sinceMs = this.io.clock.monotonicMs() - FAILED_MS;
    const silent = new Set(this.silent().map(({ address }) => addressText(address)));
    const isLast = (address: HostPort) => {
      const text = addressText(address);
      return silent.has(text) || (this.#failedMs.get(text) ?? -Infinity) > sinceMs;
    };
    return [...addresses.filter((each) => !isLast(each)), ...addresses.filter(isLast)];
  }

  /**
   * Ends the connections that keep silent and that nobody needs to wait for: to brokers that are not
   * among these, and those whose oldest request is moot. Whose addresses they are is learnt as well.
   */
  giveUpMoot(brokers: ReadonlyMap<number, HostPort>): void {
    const nodes = new Map([...brokers].map(([nodeId, node]) => [addressText(node), nodeId]));
    for (const link of this.#links.values()) {
      link.nodeId = nodes.get(addressText(link.address)) ?? link.nodeId;
    }
    for (const { nodeId, address, silent } of this.silent()) {
      const where = addressText(address);
      if (nodeId !== null && !nodes.has(where)) {
        silent?.giveUp(`${where} does not answer, and the cluster does not list it any more`);
      } else if (silent?.isMoot === true) {
        silent.giveUp(`${where} does not answer, and leads what it was asked for no more`);
      }
    }
  }

  /** Ends those connections to a coordinator that keep silent: another one has taken over. */
  giveUpCoordinator(before: number): void {
    for (const { purpose, nodeId, address, silent } of this.silent()) {
      if (purpose !== "coordinator" || nodeId !== before) continue;
      silent?.giveUp(`${addressText(address)} does not answer, and coordinates this no more`);
    }
  }

  #open(address: HostPort, purpose: ConnectionPurpose): Link {
    const { clientId, connectTimeoutMs, requestTimeoutMs, logger, tls } = this.options;
    const tell = (connection: Connection) => {
      link.silent = connection;
      this.onSilence();
    };
    const opening = Connection.open(this.io, address, {
      clientId,
      connectTimeoutMs,
      requestTimeoutMs,
      signal: this.#closing.signal,
      silence: { afterMs: this.silenceMs, tell },
      ...(logger === undefined ? {} : { logger }),
      ...(tls === null ? {} : { tls }),
      ...(this.#authenticate === null ? {} : { authenticate: this.#authenticate }),
    });
    const link: Link = { address, purpose, nodeId: null, opening, silent: null };
    return link;
  }

  #watch(key: string, link: Link): void {
    const fail = (error: unknown) => {
      if (this.#links.get(key) === link) this.#links.delete(key);
      const isMute = error instanceof ConnectionError &&
        (error.failure === "timeout" || error.failure === "refused");
      if (isMute) this.failed(link.address);
    };
    link.opening.then((connection) => {
      if (this.#closed) connection.close();
      this.#failedMs.delete(addressText(link.address));
      connection.onClose(fail);
    }, fail);
  }
}
