/** A network in memory with one scripted broker, on virtual time, for tests of the client. */
import { Errors } from "../core/errors.ts";
import type { HostPort, Network, NetworkListener, Socket, SocketHandlers } from "../core/io.ts";
import {
  decodeRequest,
  decodeRequestHeader,
  encodeResponseFrame,
  joinChunks,
} from "../core/protocol/codec.ts";
import { apiByKey } from "../core/protocol/index.ts";
import { metadata } from "../core/protocol/03-metadata.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import type { Api, EncodableResponse, RequestOf } from "../core/protocol/schema.ts";
import { FrameReader } from "../core/frame-reader.ts";
import type { SimClock } from "../tests/sim/sim-clock.ts";

/**
 * What a scripted broker does with a request besides answering it: go silent for good on that
 * connection, close it, or give this one no answer, as a Produce with acks=0 wants it.
 */
export type Fate = "silence" | "hang-up" | "none";

type Script = (request: unknown, version: number, at: HostPort) => object | Fate;

const LATENCY_MS = 1;

/** Answers requests as its scripts say; ApiVersions and Metadata by itself unless scripted. */
export class FakeBroker implements Network {
  readonly address: HostPort = { host: "broker", port: 9092 };
  /** Raw bytes to answer to anything, instead of Kafka's protocol. */
  rawAnswer: Uint8Array | null = null;
  refusing = false;
  /** As KIP-511 wants of an ApiVersions request that is too new, where the script says 35. */
  answerUnknownVersionsInV0 = false;
  connections = 0;
  readonly #scripts = new Map<number, Script>();
  readonly #open = new Set<() => void>();

  constructor(readonly clock: SimClock, readonly topics: Readonly<Record<string, number>> = {}) {
    this.on(metadata, (request) => ({
      brokers: [{ nodeId: 1, ...this.address }],
      controllerId: 1,
      topics: (request.topics?.map(({ name }) => name ?? "") ?? Object.keys(this.topics))
        .map((name) => ({
          name,
          errorCode: name in this.topics ? 0 : 3,
          partitions: Array.from({ length: this.topics[name] ?? 0 }, (_, partitionIndex) => ({
            partitionIndex,
            leaderId: 1,
            replicaNodes: [1],
            isrNodes: [1],
          })),
        })),
    }));
  }

  /** Sets the answers to requests of one API. */
  on<A extends Api>(
    api: A,
    script: (
      request: RequestOf<A>,
      version: number,
      at: HostPort,
    ) => EncodableResponse<A> | Fate,
  ): void {
    this.#scripts.set(
      api.key,
      (request, version, at) => script(request as RequestOf<A>, version, at),
    );
  }

  /** Ends all connections, as a crash would. */
  hangUpAll(): void {
    for (const hangUp of [...this.#open]) hangUp();
  }

  listen(): Promise<NetworkListener> {
    return Promise.reject(new Error("a fake broker's network only connects"));
  }

  connect(to: HostPort, handlers: SocketHandlers): Promise<Socket> {
    return new Promise((resolve, reject) => {
      this.clock.setTimer(LATENCY_MS, () => {
        if (this.refusing) reject(new Error("ECONNREFUSED"));
        else resolve(this.#accept(to, handlers));
      });
    });
  }

  #accept(remote: HostPort, handlers: SocketHandlers): Socket {
    this.connections++;
    let closed = false;
    let cut = false;
    const hangUp = () => {
      cut = true;
      end();
    };
    // What was written before still arrives.
    const end = () => {
      if (closed) return;
      closed = true;
      this.#open.delete(hangUp);
      handlers.onClose(null);
    };
    this.#open.add(hangUp);
    const reader = new FrameReader(0x7fff_ffff);
    let silent = false;
    const send = (bytes: Uint8Array | null) => {
      // Answers leave in order: behind one that never comes there are no others.
      if (bytes === null || silent) {
        silent = true;
        return;
      }
      this.clock.setTimer(LATENCY_MS, () => {
        if (!closed) handlers.onData(bytes);
      });
    };
    return {
      local: { host: "client", port: 1 },
      remote,
      pendingBytes: 0,
      write: (bytes) => {
        if (!(bytes instanceof Uint8Array)) throw new TypeError("clients send bytes");
        const copy = bytes.slice();
        this.clock.setTimer(LATENCY_MS, () => {
          if (cut) return;
          if (this.rawAnswer !== null) return send(this.rawAnswer);
          reader.push(copy);
          for (let frame = reader.next(); frame !== null; frame = reader.next()) {
            this.#serve(frame, remote, send, hangUp);
          }
        });
      },
      pause: () => {},
      resume: () => {},
      end,
      destroy: hangUp,
    };
  }

  #serve(
    frame: Uint8Array,
    at: HostPort,
    send: (bytes: Uint8Array | null) => void,
    hangUp: () => void,
  ): void {
    const header = decodeRequestHeader(frame, apiByKey);
    const { apiKey, apiVersion, correlationId } = header;
    const api = apiByKey.get(apiKey);
    if (api === undefined) return hangUp();
    const script = this.#scripts.get(apiKey);
    const request = decodeRequest(api, apiVersion, frame, header.bodyOffset);
    const response = script?.(request, apiVersion, at) ??
      (apiKey === apiVersions.key ? this.#versions() : "hang-up");
    if (response === "none") return;
    if (response === "silence") return send(null);
    if (response === "hang-up") return hangUp();
    const isV0 = this.answerUnknownVersionsInV0 && "errorCode" in response &&
      response.errorCode === Errors.UNSUPPORTED_VERSION;
    const version = isV0 ? 0 : apiVersion;
    send(joinChunks(encodeResponseFrame(api, version, correlationId, response)));
  }

  #versions(): EncodableResponse<typeof apiVersions> {
    const apiKeys = [...this.#scripts.keys(), apiVersions.key].flatMap((apiKey) => {
      const api = apiByKey.get(apiKey);
      return api === undefined
        ? []
        : [{ apiKey, minVersion: api.minVersion, maxVersion: api.maxVersion }];
    });
    return { apiKeys };
  }
}
