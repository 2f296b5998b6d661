/** The admin API of the built binary, and the commands that ask it. */
import { expect, test } from "bun:test";
import { withBroker } from "../harness/broker-process.ts";
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
    await fails(["clients", "--admin", "off"], 2, ["--admin cannot be read"], {
      brokers: bootstrap,
    });
  }, { args: ["--admin", "off"] }));

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
