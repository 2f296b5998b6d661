/** The admin API of the built binary, and the commands that ask it. */
import { expect, test } from "bun:test";
import { pbkdf2Sync } from "node:crypto";
import { alterUserScramCredentials } from "../../core/protocol/51-alter-user-scram-credentials.ts";
import { withBroker } from "../harness/broker-process.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { RawClient } from "../harness/raw-client.ts";
import { fails, ok, shell } from "./cli.ts";

test("clients says who is connected, for people and scripts", () =>
  withBroker(async ({ bootstrap, admin }) => {
    const options = { brokers: bootstrap, env: { KSTREAM_ADMIN: admin ?? "" } };
    await ok(["topic", "create", "orders"], options);
    const line = "echo one | kstream produce orders && kstream consume orders -n 2 & " +
      "for i in $(seq 100); do kstream clients --topic orders --json | grep -q Fetch && break; " +
      "sleep 0.05; done; kstream clients; echo two | kstream produce orders; wait";
    const { stdout } = await shell(line, options);
    expect(stdout).toContain("SOFTWARE");
    expect(stdout).toMatch(/kstream.*User:ANONYMOUS.*127\.0\.0\.1:\d+.*PLAINTEXT.*orders/);
    expect(JSON.parse(await ok(["clients", "--topic", "none", "--json"], options))).toEqual([]);
  }));

test("a broker without the admin API, and one that is none of ours, are told apart", () =>
  withBroker(async ({ bootstrap, port, admin }) => {
    expect(admin).toBeNull();
    await fails(["clients", "--admin", "http://127.0.0.1:1"], 3, [
      "no admin API answers",
      "--admin",
    ]);
    await fails(["clients", "--admin", `127.0.0.1:${port}`, "--timeout", "2"], 3, ["no admin API"]);
    for (const user of ["al%zz:secret", "alice:secret%", "alice:%ffsecret"]) {
      const said = ["--admin cannot be read", "//…@", "%25"];
      const { stderr } = await fails(["clients", "--admin", `http://${user}@127.0.0.1:1`], 2, said);
      expect(stderr).not.toContain("secret");
    }
    await fails(["clients", "--admin", "off"], 2, ["--admin cannot be read"], {
      brokers: bootstrap,
    });
  }, { args: ["--admin", "off"] }));

test("an idle timeout does not count what comes before the first answer", async () => {
  await withBroker(async ({ bootstrap, admin }) => {
    const options = { brokers: bootstrap, env: { KSTREAM_ADMIN: admin ?? "" } };
    await ok(["produce", "orders"], { ...options, input: "one\n" });
    for (const group of [[], ["-g", "readers"], ["-g", "new", "--group-protocol", "consumer"]]) {
      for (const api of ["metadata", "joingroup", "fetch"]) {
        await ok(["dev", "fault", "add", api, "latency=500ms", "once"], options);
      }
      const all = ["consume", "orders", ...group, "-o", "start", "--idle-timeout", "100ms"];
      expect(await ok(all, options)).toBe("one\n");
    }
  }, { args: ["--memory", "--dev"] });
}, 30_000);

test("faults are added, strike, are listed and removed; without --dev they are refused", async () => {
  await withBroker(async ({ bootstrap, admin }) => {
    const options = { brokers: bootstrap, env: { KSTREAM_ADMIN: admin ?? "" } };
    const fault = (...args: string[]) => ok(["dev", "fault", ...args], options);
    await ok(["topic", "create", "orders"], options);
    expect(await fault("add", "produce", "topic=orders", "error=not_leader_or_follower", "once"))
      .toBe("added fault 1: Produce topic=orders error=NOT_LEADER_OR_FOLLOWER times=1\n");
    await fault("add", "fetch", "latency=20ms", "drop=after", "p=0.5", "nth=2", "client=nobody");
    const { stderr } = await shell("echo one | kstream produce orders", options);
    expect(stderr).toContain("acknowledged 1");
    expect(JSON.parse(await fault("list", "--json"))).toMatchObject([
      { id: 1, matched: 1, struck: 1 },
      { id: 2, latencyMs: 20, drop: "after", probability: 0.5, nth: 2, struck: 0 },
    ]);
    expect(await fault("list")).toMatch(/2 +Fetch client=nobody drop=after nth=2 .*p=0\.5/);
    await fault("remove", "2");
    expect(await fault("clear")).toBe("removed 1 fault\n");
    const [before, after] = [
      JSON.parse(await ok(["dev", "clock", "--json"], options)),
      JSON.parse(await ok(["dev", "clock", "+7d", "--sessions", "--json"], options)),
    ];
    expect(after.nowMs - before.nowMs).toBeGreaterThanOrEqual(7 * 86_400_000);
    expect(await ok(["dev", "clock"], options)).toContain("7 d");
    await fails(["dev", "clock", "-1d"], 2, [], options);
    await fails(["dev", "clock", "reset"], 2, ["never goes back", "restart"], options);
    await fails(["dev", "clock", "tomorrow"], 2, ["+7d"], options);
    const bad = (args: string[], words: string[]) =>
      fails(["dev", "fault", ...args], 2, words, options);
    await bad(["add", "prodcue", "drop"], ["did you mean Produce?"]);
    await bad(["add", "produce", "onec"], ['"onec"', "did you mean once?"]);
    await bad(["add", "produce", "latency=fast"], ["200ms"]);
    await fails(["dev", "fault", "remove", "7"], 1, ["no fault 7"], options);
  }, { args: ["--dev", "--memory"] });
  await withBroker(async ({ admin }) => {
    const options = { env: { KSTREAM_ADMIN: admin ?? "" } };
    await fails(["dev", "fault", "list"], 1, ["without --dev", "kstream serve --dev"], options);
  });
});

test("the second broker of a host finds another port, unless it was told one", () =>
  withBroker((first) =>
    withBroker(async (second) => {
      expect(second.admin).not.toBe(first.admin);
      expect((await fetch(`${second.admin}/ready`)).status).toBe(200);
      const taken = (first.admin ?? "").replace("http://", "");
      await fails(["serve", "--memory", "--listen", "127.0.0.1:0", "--admin", taken], 1, [
        "the port is in use",
        "--admin off",
      ]);
      await fails(["serve", "--memory", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"], 2, [
        "refusing to listen",
        "--insecure",
      ]);
    })
  ));

test("beyond this host the admin API has users and TLS, and commands ask it so", async () => {
  const authority = new TestAuthority();
  const { certFile, keyFile } = authority.sign("admin");
  const flags = ["--admin-auth", "--admin-cert", certFile, "--admin-key", keyFile];
  await withBroker(async ({ port, admin }) => {
    expect(admin).toStartWith("https://");
    const client = await RawClient.connect(port);
    const salt = new TextEncoder().encode("some salt");
    const saltedPassword = pbkdf2Sync("p@ss", salt, 4096, 32, "sha256");
    await client.request(alterUserScramCredentials, 0, {
      deletions: [],
      upsertions: [{ name: "alice", mechanism: 1, iterations: 4096, salt, saltedPassword }],
    });
    client.close();
    const env = { NODE_EXTRA_CA_CERTS: authority.caFile };
    const of = (user: string) => (admin ?? "").replace("://", `://${user}@`);
    expect(JSON.parse(await ok(["clients", "--json", "--admin", of("alice:p%40ss")], { env })))
      .toBeArray();
    await fails(["clients", "--admin", of("alice:pass")], 1, ["another password"], { env });
    await fails(["clients", "--admin", admin ?? ""], 1, ["asks who you are"], { env });
  }, { args: ["--memory", "--admin", "127.0.0.1:0", ...flags] });
  const wide = ["serve", "--memory", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"];
  await fails([...wide, "--admin-auth"], 2, ["passwords would be sent", "--admin-cert"]);
  await fails([...wide, "--admin-auth", "--admin-cert", certFile], 2, ["its key"]);
  await fails([...wide, ...flags.with(2, keyFile)], 2, ["the admin API cannot speak TLS"]);
  authority.dispose();
});
