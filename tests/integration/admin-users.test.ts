/** Users of the admin API of one of several brokers: what they may do at the others. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type BrokerProcess, freshDir, withBroker } from "../harness/broker-process.ts";
import { z } from "zod";
import { ok } from "./cli.ts";

const CLIENTS = z.object({
  clients: z.array(z.object({
    principal: z.string(),
    address: z.string(),
    topics: z.array(z.string()),
  })),
});

const ACLS = [
  "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users=User:root",
].flatMap((config) => ["--set", config]);

/** Asks the first broker's admin API, as JSON unless it is told otherwise. */
async function ask(
  { admin }: Pick<BrokerProcess, "admin">,
  method: string,
  path: string,
  { user, body, type = "application/json" }: { user?: string; body?: string; type?: string } = {},
): Promise<string> {
  const answer = await fetch(`${admin}${path}`, {
    method,
    headers: {
      ...(user !== undefined && { authorization: `Basic ${btoa(`${user}:of ${user}`)}` }),
      ...(body !== undefined && { "content-type": type }),
    },
    ...(body !== undefined && { body }),
  });
  return `${answer.status} ${await answer.text()}`;
}

test("with ACLs alice uses by one shard what another leads, and bob does not", async () => {
  const dataDir = join(freshDir("users"), "data");
  const args = ["--shards", "3", "--admin", "127.0.0.1:0"];
  // Who is to be asked for a name has to be there before.
  await withBroker(async (shards) => {
    await ok(["topic", "create", "orders", "-p", "3"], { brokers: shards.bootstrap });
    for (const user of ["root", "alice", "bob"]) {
      const body = JSON.stringify({ password: `of ${user}` });
      expect(await ask(shards, "PUT", `/v1/users/${user}`, { body })).toStartWith("200");
    }
  }, { dataDir, args });
  await withBroker(async (shards) => {
    for (const operation of ["READ", "WRITE", "DESCRIBE"]) {
      const body = JSON.stringify({
        ...{ principal: "User:alice", host: "127.0.0.1", operation, permission: "ALLOW" },
        ...{ resourceType: "TOPIC", resourceName: "orders", patternType: "LITERAL" },
      });
      expect(await ask(shards, "POST", "/v1/acls", { user: "root", body })).toStartWith("201");
    }
    // The last of them is in force at all shards.
    for (const admin of shards.admins) {
      const isAllowed = async () =>
        (await ask({ admin }, "GET", "/v1/topics/orders", { user: "alice" })).startsWith("200");
      for (const deadline = Date.now() + 30_000; !await isAllowed();) {
        expect(Date.now()).toBeLessThan(deadline);
        await Bun.sleep(5);
      }
    }
    const path = "/v1/topics/orders/records";
    const body = [0, 1, 2].map((partition) => JSON.stringify({ value: "x", partition })).join("\n");
    const type = "application/x-ndjson";
    expect(await ask(shards, "POST", path, { user: "alice", body, type })).toStartWith("200");
    const read = await ask(shards, "GET", path, { user: "alice" });
    const partitions = Array.from(read.matchAll(/"partition":(\d)/g), ([, number]) => number);
    expect(partitions.sort()).toEqual(["0", "1", "2"]);
    expect(await ask(shards, "POST", path, { user: "bob", body, type })).toStartWith("403");
    expect(await ask(shards, "GET", path, { user: "bob" })).toStartWith("403");
    // What one may not see is not counted either.
    const listed = (user: string) => ask(shards, "GET", "/v1/topics", { user });
    expect(await listed("alice")).toContain('"total":1,');
    expect(await listed("bob")).toContain('"topics":[],"total":0,');
    // To the others she comes from her own address, too, and not as the shard that she asked.
    for (const admin of shards.admins) {
      const { clients } = CLIENTS.parse(
        JSON.parse((await ask({ admin }, "GET", "/v1/clients", { user: "root" })).slice(4)),
      );
      const hers = clients.filter(({ principal }) => principal === "User:alice");
      expect(hers.flatMap(({ topics }) => topics)).toContain("orders");
      expect(new Set(hers.map(({ address }) => address))).toEqual(new Set(["127.0.0.1:0"]));
      expect(clients.map(({ principal }) => principal)).not.toContain("User:ANONYMOUS");
    }
  }, { dataDir, args: [...args, "--admin-auth", ...ACLS] });
}, 120_000);
