import { X509Certificate } from "node:crypto";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileRegion, Socket } from "../../io.ts";
import { TestAuthority } from "../../../tests/harness/certificates.ts";
import { type ClientAuth, type ListenTlsOptions, TlsError, type TlsOptions } from "../../io.ts";
import { LOOPBACK, networkSuite, recorder } from "../network-conformance.test-helper.ts";
import { BunDisk } from "./disk.ts";
import { bunNetwork } from "./network.ts";

networkSuite(bunNetwork);

test("regions of files go out whole between bytes, also to a slow reader", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kstream-region-"));
  const content = new Uint8Array(8_000_000);
  for (let i = 0; i < content.length; i++) content[i] = i * 31 >> 3;
  await Bun.write(join(dir, "data"), content);
  const disk = new BunDisk();
  let open = 0;
  const region = (position: number, length: number): FileRegion => ({
    position,
    length,
    open: () => {
      const file = disk.open(join(dir, "data"), "read");
      open++;
      return {
        file,
        release: () => {
          open--;
          file.close();
        },
      };
    },
  });
  const server = recorder();
  const accepted = Promise.withResolvers<Socket>();
  const listener = await bunNetwork.listen(LOOPBACK, (socket) => {
    accepted.resolve(socket);
    return server.handlers;
  });
  const client = await bunNetwork.connect(listener.address, recorder().handlers, {
    timeoutMs: 5_000,
  });
  const peer = await accepted.promise;
  peer.pause();
  const head = new Uint8Array([1, 2, 3]);
  client.write(head);
  client.write(region(100, 7_000_000));
  client.write(head);
  client.write(region(5, 10));
  client.write(region(7_999_000, 1000));
  const wanted = Buffer.concat([
    head,
    content.subarray(100, 7_000_100),
    head,
    content.subarray(5, 15),
    content.subarray(7_999_000),
  ]);
  expect(client.pendingBytes).toBe(wanted.length);
  peer.resume();
  await server.received(wanted.length);
  expect(server.bytes().equals(wanted)).toBe(true);
  expect(open).toBe(0);

  // A region that reaches beyond the file can never be sent: the connection ends, the file is let go.
  client.write(region(7_999_999, 100_000));
  await server.closed;
  expect(open).toBe(0);
  listener.close();
  rmSync(dir, { recursive: true });
});

describe("listening with TLS", () => {
  const authority = new TestAuthority();
  const [server, alice] = [authority.sign("server"), authority.sign("alice")];
  const strangers = new TestAuthority("strangers");
  const mallory = strangers.sign("mallory");
  const forAll: ListenTlsOptions = {
    ...server,
    ca: authority.ca,
    clientAuth: "none",
    versions: ["TLSv1.2", "TLSv1.3"],
  };
  afterAll(() => [authority, strangers].forEach((each) => each.dispose()));

  /** A listener whose connections are told one after the other. */
  const listen = async (tls: ListenTlsOptions) => {
    const seen: { certificate: string | null; socket: Socket; gone: Promise<Error | null> }[] = [];
    const failures: (Error | null)[] = [];
    const wake = Promise.withResolvers<void>();
    const listener = await bunNetwork.listen(LOOPBACK, (socket) => {
      const gone = Promise.withResolvers<Error | null>();
      let isSecure = false;
      return {
        onSecure(der) {
          isSecure = true;
          const subject = der === null ? null : new X509Certificate(der).subject;
          seen.push({ certificate: subject, socket, gone: gone.promise });
        },
        onData: (bytes) => socket.write(bytes.slice()),
        onDrain() {},
        onClose(error) {
          if (!isSecure) failures.push(error);
          gone.resolve(error);
          wake.resolve();
        },
      };
    }, tls);
    return { port: listener.address.port, seen, failures, firstGone: wake.promise, listener };
  };
  /** "works", or that no byte came back. */
  const attempt = async (port: number, tls: TlsOptions): Promise<string> => {
    const client = recorder();
    try {
      const options = { timeoutMs: 10_000, tls };
      const socket = await bunNetwork.connect(
        { host: "127.0.0.1", port },
        client.handlers,
        options,
      );
      const sent = crypto.getRandomValues(new Uint8Array(60_000));
      socket.write(sent);
      const ended = await Promise.race([client.received(sent.length), client.closed]);
      if (ended !== undefined || client.bytes().length < sent.length) return "refused";
      expect(client.bytes().equals(sent)).toBe(true);
      socket.end();
      await client.closed;
      return "works";
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      return "refused";
    }
  };
  const ca = authority.ca;
  const pair = ({ cert, key }: { cert: string; key: string }) => ({ ca, cert, key });

  test("the certificate of a client is told, and bad ones are refused", async () => {
    const cases: [ClientAuth, TlsOptions, string, string | null][] = [
      ["none", { ca }, "works", null],
      ["none", pair(alice), "works", null],
      ["requested", { ca }, "works", null],
      ["requested", pair(alice), "works", "CN=alice"],
      ["requested", pair(mallory), "refused", null],
      ["required", { ca }, "refused", null],
      ["required", pair(alice), "works", "CN=alice"],
      ["required", pair(mallory), "refused", null],
    ];
    for (const [clientAuth, tls, outcome, subject] of cases) {
      const { port, seen, failures, firstGone, listener } = await listen({ ...forAll, clientAuth });
      expect([clientAuth, await attempt(port, tls)]).toEqual([clientAuth, outcome]);
      await firstGone;
      if (outcome === "works") {
        expect(seen.map(({ certificate }) => certificate)).toEqual([subject]);
        expect(await seen[0]?.gone).toBeNull();
      } else {
        expect(seen).toEqual([]);
        expect(failures[0]).toBeInstanceOf(TlsError);
      }
      listener.close();
    }
  });

  test("a client may leave out the name in the certificate, but not who has signed it", async () => {
    const other = authority.sign("other", { names: "DNS:other.example" });
    const { port, listener } = await listen({ ...forAll, ...other });
    expect(await attempt(port, { ca })).toBe("refused");
    expect(await attempt(port, { ca, checksName: false })).toBe("works");
    expect(await attempt(port, { ca: strangers.ca, checksName: false })).toBe("refused");
    listener.close();
  });

  test("a version of TLS that is not allowed is refused", async () => {
    for (const [versions, works] of [["TLSv1.2", ["tls1_2"]], ["TLSv1.3", ["tls1_3"]]] as const) {
      const { port, listener } = await listen({ ...forAll, versions: [versions] });
      for (const version of ["tls1_2", "tls1_3"] as const) {
        const child = Bun.spawn(
          ["openssl", "s_client", "-connect", `127.0.0.1:${port}`, `-${version}`],
          { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
        );
        const isIn = (works as readonly string[]).includes(version);
        expect([versions, version, await child.exited === 0]).toEqual([versions, version, isIn]);
      }
      listener.close();
    }
  });

  test("plain text, and a look at the port, fail before the handshake", async () => {
    const { port, failures, firstGone, seen, listener } = await listen(forAll);
    const client = recorder();
    const at = { host: "127.0.0.1", port };
    const socket = await bunNetwork.connect(at, client.handlers, { timeoutMs: 10_000 });
    socket.write(new Uint8Array([0, 0, 0, 20, 0, 18, 0, 3, 0, 0, 0, 1, 0, 0]));
    await client.closed;
    await firstGone;
    expect(failures).toHaveLength(1);
    expect(failures[0]?.message).toContain("WRONG_VERSION");
    (await bunNetwork.connect(at, recorder().handlers, { timeoutMs: 10_000 })).end();
    expect(await attempt(port, { ca })).toBe("works");
    expect(seen).toHaveLength(1);
    listener.close();
  });

  test("regions of files go through TLS whole, also to a slow reader", async () => {
    const dir = mkdtempSync(join(tmpdir(), "kstream-region-"));
    const content = new Uint8Array(4_000_000);
    for (let i = 0; i < content.length; i++) content[i] = i * 37 >> 3;
    await Bun.write(join(dir, "data"), content);
    const file = new BunDisk().open(join(dir, "data"), "read");
    const { port, seen, listener } = await listen(forAll);
    const client = recorder();
    const options = { timeoutMs: 10_000, tls: { ca } };
    const socket = await bunNetwork.connect({ host: "127.0.0.1", port }, client.handlers, options);
    socket.write(new Uint8Array([1]));
    await client.received(1);
    socket.pause();
    const region = { position: 7, length: 3_999_000, open: () => ({ file, release() {} }) };
    seen[0]?.socket.write(region);
    seen[0]?.socket.write(new Uint8Array([9, 9]));
    socket.resume();
    await client.received(1 + 3_999_000 + 2);
    expect(client.bytes().subarray(1, -2).equals(content.subarray(7, 3_999_007))).toBe(true);
    socket.destroy();
    file.close();
    listener.close();
    rmSync(dir, { recursive: true });
  });
});
