/**
 * A client of raw frames over loopback, for tests that drive a broker through its narrowest door:
 * it sends any bytes and reads responses in the order in which they come.
 */
import { bunNetwork } from "../../core/io/bun/network.ts";
import type { Socket, TlsOptions } from "../../core/io.ts";
import {
  decodeResponse,
  decodeResponseHeader,
  encodeRequestFrame,
  joinChunks,
} from "../../core/protocol/codec.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";

/** A connection to a broker. */
export class RawClient {
  readonly #socket: Socket;
  readonly #frames: Uint8Array[] = [];
  readonly #readers: ((frame: Uint8Array | null) => void)[] = [];
  #unread: Uint8Array = new Uint8Array();
  #isClosed = false;
  #nextCorrelationId = 1;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  #onClosed = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => this.#onClosed = resolve);
  }

  static async connect(
    port: number,
    host = "127.0.0.1",
    tls?: TlsOptions,
  ): Promise<RawClient> {
    const early: Uint8Array[] = [];
    let client: RawClient | null = null;
    const socket = await bunNetwork.connect({ host, port }, {
      onData: (bytes) => client === null ? early.push(bytes) : client.#onData(bytes),
      onDrain: () => {},
      onClose: () => client === null ? undefined : client.#onClose(),
    }, { timeoutMs: 5_000, ...(tls !== undefined && { tls }) });
    client = new RawClient(socket);
    for (const bytes of early) client.#onData(bytes);
    return client;
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Sends a request and gives its response; other responses must not be outstanding. */
  async request<A extends Api>(
    api: A,
    version: number,
    value: EncodableRequest<A>,
  ): Promise<ResponseOf<A>> {
    const correlationId = this.send(api, version, value);
    const frame = await this.readFrame();
    if (frame === null) throw new Error("the broker closed the connection");
    const header = decodeResponseHeader(api, version, frame);
    if (header.correlationId !== correlationId) {
      throw new Error(`response ${header.correlationId} for request ${correlationId}`);
    }
    return decodeResponse(api, version, frame, header.bodyOffset);
  }

  /** Sends a request without waiting; gives its correlation id. */
  send<A extends Api>(api: A, version: number, value: EncodableRequest<A>): number {
    const correlationId = this.#nextCorrelationId++;
    const header = { correlationId, clientId: "raw" };
    this.sendBytes(joinChunks(encodeRequestFrame(api, version, header, value)));
    return correlationId;
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next response without its length, or null if the connection is gone. */
  readFrame(): Promise<Uint8Array | null> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.#isClosed) return Promise.resolve(null);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  close(): void {
    this.#socket.destroy();
    this.#onClose();
  }

  #onData(bytes: Uint8Array): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    while (this.#unread.length >= 4) {
      const { buffer, byteOffset, byteLength } = this.#unread;
      const end = 4 + new DataView(buffer, byteOffset, byteLength).getInt32(0);
      if (this.#unread.length < end) return;
      const frame = this.#unread.subarray(4, end);
      this.#unread = this.#unread.subarray(end);
      const reader = this.#readers.shift();
      if (reader === undefined) this.#frames.push(frame);
      else reader(frame);
    }
  }

  #onClose(): void {
    this.#isClosed = true;
    for (const reader of this.#readers.splice(0)) reader(null);
    this.#onClosed();
  }
}
