/** Sockets that syslog comes in on. They hand on messages, and can be told to read nothing for now. */
import { createSocket } from "node:dgram";
import { createServer, isIPv6 } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { TlsFiles } from "../../formats/index.ts";
import { Framer, withoutEnd } from "./framing.ts";
import type { Frame } from "./framing.ts";

/** What hears of messages. */
export interface Hearer {
  took(frame: Frame, remote: string): void;
  /** A connection was closed, because there are as many as there may be. */
  refusedConnection(): void;
}

export type Transport = "UDP" | "TCP" | "TLS";

export interface Listener {
  readonly transport: Transport;
  readonly port: number;
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly bytesMax: number;
  readonly connectionsMax: number;
  readonly hearer: Hearer;
}

const KEEP_ALIVE_MS = 60_000;

/** A datagram is a message. Throws why it cannot listen. */
export async function listenUdp(options: ListenerOptions): Promise<Listener> {
  const { host, port, bytesMax, hearer } = options;
  const socket = createSocket({ type: isIPv6(host) ? "udp6" : "udp4", recvBufferSize: UDP_BYTES });
  const opened = Promise.withResolvers<void>();
  socket.on("error", (error) => opened.reject(error));
  socket.on("message", (bytes, { address }) => {
    const isCut = bytes.length > bytesMax;
    // A copy, as the socket may use its buffer again.
    const kept = Buffer.from(isCut ? bytes.subarray(0, bytesMax) : bytes);
    hearer.took({ bytes: withoutEnd(kept), isCut }, address);
  });
  socket.bind(port, host, () => opened.resolve());
  await opened.promise;
  return {
    transport: "UDP",
    port: socket.address().port,
    // Nobody waits who sends datagrams.
    pause: () => {},
    resume: () => {},
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** What the kernel is asked to hold of datagrams; it may allow less (net.core.rmem_max). */
const UDP_BYTES = 4 * 1024 * 1024;

/** `tls`: null for plain TCP. Throws why it cannot listen. */
export async function listenTcp(
  options: ListenerOptions,
  tls: TlsFiles | null,
): Promise<Listener> {
  const connections = new Connections(options, tls === null ? "TCP" : "TLS");
  const server: Server = tls === null ? createServer() : createTlsServer({
    ...tls,
    // With authorities there are clients to know.
    requestCert: tls.ca !== undefined,
    rejectUnauthorized: tls.ca !== undefined,
  });
  server.on(tls === null ? "connection" : "secureConnection", (socket: Socket) => {
    connections.add(socket);
  });
  const opened = Promise.withResolvers<void>();
  server.on("error", (error) => opened.reject(error));
  server.listen(options.port, options.host, () => opened.resolve());
  await opened.promise;
  return {
    transport: connections.transport,
    port: (server.address() as AddressInfo).port,
    pause: () => connections.pause(),
    resume: () => connections.resume(),
    close: () => {
      connections.destroy();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

/** All connections of a listener. */
class Connections {
  readonly #sockets = new Set<Socket>();
  #isPaused = false;

  constructor(readonly options: ListenerOptions, readonly transport: Transport) {}

  add(socket: Socket): void {
    const { connectionsMax, bytesMax, hearer } = this.options;
    socket.on("error", () => socket.destroy());
    if (this.#sockets.size >= connectionsMax) {
      hearer.refusedConnection();
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const remote = socket.remoteAddress ?? "";
    const framer = new Framer(bytesMax);
    const handOn = (frames: readonly Frame[]) => {
      for (const frame of frames) hearer.took(frame, remote);
    };
    socket.on("data", (bytes: Buffer) => handOn(framer.push(bytes)));
    socket.on("close", () => {
      handOn(framer.end());
      this.#sockets.delete(socket);
    });
    if (this.#isPaused) socket.pause();
  }

  pause(): void {
    this.#isPaused = true;
    for (const socket of this.#sockets) socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const socket of this.#sockets) socket.resume();
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
