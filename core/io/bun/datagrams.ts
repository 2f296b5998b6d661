/** UDP on Bun's sockets. */
import type { Datagrams, DatagramSocket, HostPort } from "../../io.ts";

const MAPPED = "::ffff:";

class BunDatagramSocket implements DatagramSocket {
  readonly address: HostPort;
  readonly #raw: Bun.udp.Socket<"uint8array">;
  readonly #isIpv6: boolean;

  constructor(raw: Bun.udp.Socket<"uint8array">, bound: string) {
    this.#raw = raw;
    this.#isIpv6 = bound.includes(":");
    this.address = { host: bound, port: raw.port };
  }

  send(to: HostPort, bytes: Uint8Array): boolean {
    const host = this.#isIpv6 && !to.host.includes(":") ? MAPPED + to.host : to.host;
    try {
      return this.#raw.send(bytes, to.port, host);
    } catch (error) {
      // Linux reports on a send that an earlier one, to anybody, found no listener.
      return codeOf(error) === "ECONNREFUSED" && this.#sendAgain(host, to.port, bytes);
    }
  }

  #sendAgain(host: string, port: number, bytes: Uint8Array): boolean {
    try {
      return this.#raw.send(bytes, port, host);
    } catch {
      return false;
    }
  }

  close(): void {
    if (!this.#raw.closed) this.#raw.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

/** Datagrams of this host. */
export const bunDatagrams: Datagrams = {
  async bind(at, onDatagram) {
    const raw = await Bun.udpSocket({
      hostname: at.host,
      port: at.port,
      binaryType: "uint8array",
      socket: {
        data: (_socket, bytes, port, host) =>
          onDatagram(bytes, {
            host: host.startsWith(MAPPED) ? host.slice(MAPPED.length) : host,
            port,
          }),
        // Without it, the system's late reports of lost datagrams would be unhandled errors.
        error: () => {},
      },
    });
    return new BunDatagramSocket(raw, at.host);
  },
};
