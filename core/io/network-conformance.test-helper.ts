/** What every `Network` does: run by the tests of each of them, on the runtimes that it is for. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { tlsTrouble } from "../connection-error.ts";
import { type Network, type Socket, type SocketHandlers, TlsError } from "../io.ts";

/** Handlers that gather what arrives and resolve when the connection is gone. */
export function recorder() {
  const chunks: Uint8Array[] = [];
  const closed = Promise.withResolvers<Error | null>();
  let wanted = { bytes: Infinity, resolve: () => {} };
  const bytes = () => Buffer.concat(chunks);
  const handlers: SocketHandlers = {
    onData(chunk) {
      chunks.push(chunk);
      if (bytes().length >= wanted.bytes) wanted.resolve();
    },
    onDrain: () => {},
    onClose: (error) => closed.resolve(error),
  };
  const received = (count: number) =>
    new Promise<void>((resolve) => {
      wanted = { bytes: count, resolve };
      if (bytes().length >= count) resolve();
    });
  return { handlers, bytes, received, closed: closed.promise };
}

export const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Defines the tests. */
export function networkSuite(network: Network): void {
  test("many small and large writes arrive in order, whatever the system takes at once", async () => {
    const server = recorder();
    const accepted = Promise.withResolvers<Socket>();
    const listener = await network.listen(LOOPBACK, (socket) => {
      accepted.resolve(socket);
      return server.handlers;
    });
    const drained = Promise.withResolvers<void>();
    const client = await network.connect(listener.address, {
      onData: () => {},
      onDrain: () => drained.resolve(),
      onClose: () => {},
    }, { timeoutMs: 5_000 });
    const peer = await accepted.promise;
    expect(client.local).toEqual(peer.remote);
    expect(client.remote).toEqual(peer.local);

    peer.pause();
    const sent: Uint8Array[] = [];
    for (let i = 0; i < 400; i++) {
      const length = i % 7 === 0 ? 100_000 + i : 1 + i * 13;
      const chunk = new Uint8Array(length).fill(i);
      sent.push(chunk);
      client.write(chunk);
    }
    const all = Buffer.concat(sent);
    expect(client.pendingBytes).toBe(all.length);
    peer.resume();
    await drained.promise;
    expect(client.pendingBytes).toBe(0);
    await server.received(all.length);
    expect(server.bytes().equals(all)).toBe(true);
    client.write(new Uint8Array([1, 2, 3]));
    client.end();
    expect(await server.closed).toBeNull();
    expect(server.bytes().length).toBe(all.length + 3);
    listener.close();
  });

  test("a paused socket receives nothing until it is resumed", async () => {
    const server = recorder();
    const accepted = Promise.withResolvers<Socket>();
    const listener = await network.listen(LOOPBACK, (socket) => {
      socket.pause();
      accepted.resolve(socket);
      return server.handlers;
    });
    const echo = recorder();
    const client = await network.connect(listener.address, echo.handlers, { timeoutMs: 5_000 });
    client.write(new Uint8Array(10));
    const peer = await accepted.promise;
    peer.write(new Uint8Array(5));
    await echo.received(5); // A whole round trip later,
    expect(server.bytes().length).toBe(0);
    peer.resume();
    await server.received(10);
    client.destroy();
    await server.closed;
    listener.close();
  });

  test("an end does not wait for the peer, which may be busy and not look", async () => {
    const server = recorder();
    const accepted = Promise.withResolvers<Socket>();
    const listener = await network.listen(LOOPBACK, (socket) => {
      socket.pause();
      accepted.resolve(socket);
      return server.handlers;
    });
    const ended = recorder();
    const client = await network.connect(listener.address, ended.handlers, { timeoutMs: 5_000 });
    client.write(new Uint8Array(10));
    client.end();
    expect(await ended.closed).toBeNull();
    const peer = await accepted.promise;
    peer.resume();
    await server.closed;
    expect(server.bytes().length).toBe(10);
    listener.close();
  });

  test("a port that is taken, and one where nobody listens, are refused with the system's code", async () => {
    const listener = await network.listen(LOOPBACK, () => recorder().handlers);
    await expect(network.listen(listener.address, () => recorder().handlers))
      .rejects.toMatchObject({ code: "EADDRINUSE" });
    listener.close();
    await expect(network.connect(listener.address, recorder().handlers, { timeoutMs: 5_000 }))
      .rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("connecting ends when the signal is aborted", async () => {
    const abort = new AbortController();
    // TEST-NET-1 leads nowhere.
    const connecting = network.connect({ host: "192.0.2.1", port: 9 }, recorder().handlers, {
      timeoutMs: 60_000,
      signal: abort.signal,
    });
    abort.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
  });

  for (const how of ["end", "destroy"] as const) {
    test(`a connection can be refused in accept by ${how}`, async () => {
      const listener = await network.listen(LOOPBACK, (socket) => {
        socket[how]();
        return recorder().handlers;
      });
      const client = recorder();
      await network.connect(listener.address, client.handlers, { timeoutMs: 5_000 });
      await client.closed;
      listener.close();
    });
  }

  describe("TLS", () => tlsSuite(network));
}

interface Pem {
  readonly cert: string;
  readonly key: string;
}

/** A certificate that signs itself, for these names. */
function makeCertificate(dir: string, names: string): Pem {
  const made = Bun.spawnSync([
    ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
    ...["-subj", "/CN=test", "-addext", `subjectAltName=${names}`],
    ...["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")],
  ], { stderr: "pipe" });
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  const read = (name: string) => readFileSync(join(dir, name), "utf8");
  return { cert: read("cert.pem"), key: read("key.pem") };
}

function tlsSuite(network: Network): void {
  let pem: Pem = { cert: "", key: "" };
  const closers: (() => void)[] = [];
  beforeAll(() => {
    const dir = mkdtempSync(join(tmpdir(), "kstream-tls-"));
    pem = makeCertificate(dir, "DNS:localhost");
    rmSync(dir, { recursive: true });
  });
  afterAll(() => closers.forEach((close) => close()));

  /** An echo behind TLS; `mutual` wants the client to have the same certificate. */
  const echo = async (mutual = false): Promise<number> => {
    const options = mutual
      ? { ...pem, ca: pem.cert, requestCert: true, rejectUnauthorized: true }
      : pem;
    const server = createTlsServer(options, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    server.on("tlsClientError", () => {});
    return await portOf(server);
  };
  const portOf = (server: ReturnType<typeof createTcpServer>): Promise<number> =>
    new Promise((resolve) => {
      closers.push(() => server.close());
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    });
  /** What comes of it: "works", or the trouble. */
  const attempt = async (
    port: number,
    tls: object,
    host = "127.0.0.1",
  ): Promise<string> => {
    const client = recorder();
    const options = { timeoutMs: 5000, tls };
    let socket: Socket;
    try {
      socket = await network.connect({ host, port }, client.handlers, options);
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      return tlsTrouble(error.code, error.message);
    }
    const sent = crypto.getRandomValues(new Uint8Array(50_000));
    for (let at = 0; at < sent.length; at += 10_000) socket.write(sent.subarray(at, at + 10_000));
    const ended = await Promise.race([client.received(sent.length), client.closed]);
    if (ended instanceof Error) {
      const code = "code" in ended ? String(ended.code) : "";
      return tlsTrouble(code, ended.message);
    }
    expect(client.bytes().equals(sent)).toBe(true);
    socket.end();
    expect(await client.closed).toBeNull();
    return "works";
  };

  test("bytes go both ways inside of it, with whom is trusted", async () => {
    const port = await echo();
    expect(await attempt(port, { ca: pem.cert, serverName: "localhost" })).toBe("works");
    expect(await attempt(port, { rejectUnauthorized: false })).toBe("works");
    expect(await attempt(await echo(true), { ca: pem.cert, serverName: "localhost", ...pem }))
      .toBe("works");
  });

  test("whom nobody trusts, who has another name, and who wants to know us, is told apart", async () => {
    const port = await echo();
    expect(await attempt(port, {})).toBe("untrusted");
    expect(await attempt(port, { ca: pem.cert })).toBe("wrong-name");
    expect(await attempt(port, { ca: pem.cert, serverName: "other" })).toBe("wrong-name");
    expect(await attempt(await echo(true), { ca: pem.cert, serverName: "localhost" }))
      .toBe("client-certificate");
  });

  test("a key that is not the certificate's, and what is no certificate, is told", async () => {
    const port = await echo();
    const dir = mkdtempSync(join(tmpdir(), "kstream-tls-"));
    const { key } = makeCertificate(dir, "DNS:localhost");
    rmSync(dir, { recursive: true });
    expect(await attempt(port, { cert: pem.cert, key })).toBe("own-files");
    const noPem = { cert: "-----BEGIN NONE", key: pem.key };
    expect(await attempt(port, noPem)).toBe("own-files");
  });

  test("who speaks no TLS, and hangs up or answers, is told", async () => {
    const hangsUp = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.destroy());
    });
    expect(await attempt(await portOf(hangsUp), {})).toBe("no-tls");
    const answers = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    });
    expect(await attempt(await portOf(answers), {})).toBe("no-tls");
  });

  test("a silent peer is given up in time, also in the handshake", async () => {
    const silent = createTcpServer((socket) => socket.on("error", () => {}));
    const port = await portOf(silent);
    const options = { timeoutMs: 100, tls: {} };
    await expect(network.connect({ host: "127.0.0.1", port }, recorder().handlers, options))
      .rejects.toThrow("within 100 ms");
    const abort = new AbortController();
    const connecting = network.connect({ host: "127.0.0.1", port }, recorder().handlers, {
      timeoutMs: 5000,
      tls: {},
      signal: abort.signal,
    });
    abort.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
  });
}
