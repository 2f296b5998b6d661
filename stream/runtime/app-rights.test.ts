/** Applications that brokers do not let do what they need. */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import type { AclEntry, AclOperation } from "../../core/acl.ts";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";

const TOPICS = { in: 1 };

/** All of the application's own topics is allowed, but for this. */
async function allowOwn(world: AppWorld, operation: AclOperation, topic: string): Promise<void> {
  const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
  const all: Omit<AclEntry, "resourceName" | "patternType"> = {
    ...{ resourceType: "TOPIC", host: "*", principal: "User:ANONYMOUS" },
    ...{ operation: "ALL", permission: "ALLOW" },
  };
  await admin.acls.create([
    { ...all, resourceName: "app-", patternType: "PREFIXED" },
    { ...all, operation, permission: "DENY", resourceName: topic, patternType: "LITERAL" },
  ]);
  admin.close();
}

const WITH_ACLS = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "allow.everyone.if.no.acl.found": "true",
};

for (const guarantee of ["exactly_once_v2", "at_least_once"]) {
  test(`what is not allowed is told at once and ends the application, ${guarantee}`, () => {
    const world = new AppWorld(9, TOPICS, WITH_ACLS);
    world.run(async () => {
      await allowOwn(world, "WRITE", "app-counts-changelog");
      const builder = new TopologyBuilder();
      builder.stream("in", { value: string() }).groupByKey().count("counts");
      const { app } = world.app(builder.topology, {
        ...{ "processing.guarantee": guarantee, "commit.interval.ms": 500 },
      });
      await app.start();
      await world.write("in", [{ key: "1", value: "a" }]);
      const begunMs = world.world.clock.monotonicMs();
      expect(await app.failed.catch(String)).toContain(
        "app-counts-changelog-0: TOPIC_AUTHORIZATION_FAILED",
      );
      expect(world.world.clock.monotonicMs() - begunMs).toBeLessThan(5000);
      await app.close();
    });
  });
}

test("repartition topics that cannot be purged are told of once", () => {
  const world = new AppWorld(10, TOPICS, WITH_ACLS);
  world.run(async () => {
    const { clock } = world.world;
    await allowOwn(world, "DELETE", "app-again-repartition");
    const told: string[] = [];
    const logger = createLogger({
      ...{ level: "warn", format: "text", write: (line: string) => void told.push(line) },
      wallMs: () => clock.wallMs(),
    });
    const builder = new TopologyBuilder();
    const text = { value: string() };
    builder.stream("in", text).repartition("again", text).foreach(() => {});
    const config = { "repartition.purge.interval.ms": 1000 };
    const { app } = world.app(builder.topology, config, { logger });
    await app.start();
    for (let i = 0; i < 10; i++) {
      await world.write("in", [{ key: "1", value: "a" }]);
      await sleep(clock, 1000);
    }
    expect(told).toEqual([expect.stringContaining("repartition topics grow")]);
    await app.close();
  });
});

test("a copy that may not be read for is told of now and then", () => {
  const world = new AppWorld(11, TOPICS, WITH_ACLS);
  world.run(async () => {
    const { clock } = world.world;
    const builder = new TopologyBuilder();
    builder.stream("in", { value: string() }).groupByKey().count("counts");
    const config = { "num.standby.replicas": 1 };
    const owner = world.app(builder.topology, config).app;
    await owner.start();
    await world.write("in", [{ key: "1", value: "a" }]);
    while (owner.status().processed === 0) await sleep(clock, 100);
    await allowOwn(world, "READ", "app-counts-changelog");
    const told: string[] = [];
    const logger = createLogger({
      ...{ level: "warn", format: "text", write: (line: string) => void told.push(line) },
      wallMs: () => clock.wallMs(),
    });
    const copy = world.app(builder.topology, config, { logger }).app;
    await copy.start();
    await sleep(clock, 120_000);
    const lines = told.filter((line) => line.includes("a copy of a store cannot be kept now"));
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.length).toBeLessThan(15);
    await copy.close();
    await owner.close();
  });
});
