/** Commands whose other side is not there: a target at the start, brokers at the end. */
import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess, withBroker } from "../harness/broker-process.ts";
import { ok } from "../integration/cli.ts";
import { startCliWorker } from "./cli-worker.ts";
import { until } from "./servers/mirror-scene.ts";
import { needRedis, RedisServer } from "./servers/redis.ts";
import { liveTest } from "./servers/live.ts";

const live = liveTest(await needRedis());
const dir = freshDir("absent");
afterAll(() => rmSync(dir, { recursive: true, force: true }));

live(
  "connect run begins while a target is down, and goes on once it is there",
  () =>
    withBroker(async ({ bootstrap }) => {
      const redis = await RedisServer.start();
      await redis.down();
      const config = join(dir, "to-redis.yaml");
      await Bun.write(
        config,
        `name: to-redis\nconnector: redis-sink\ntopics: [orders]\nredis.uri: ${
          redis.config["redis.uri"]
        }\n`,
      );
      await ok(["produce", "orders"], { brokers: bootstrap, input: '{"a":1}\n' });
      const child = Bun.spawn([KSTREAM, "connect", "run", config, "-b", bootstrap], {
        stdout: "ignore",
        stderr: "pipe",
      });
      let said = "";
      const listening = (async () => {
        const decoder = new TextDecoder();
        for await (const chunk of child.stderr) said += decoder.decode(chunk);
      })();
      await until(
        () => Promise.resolve(/a target is not there yet/.test(said) || null),
        () => said,
      );
      await redis.up();
      await until(async () => (await redis.cli("XLEN", "orders"))[0] === "1" || null, () => said);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
      await listening;
      await redis.stop();
    }),
  60_000,
);

test("a worker whose brokers are gone ends within its time", async () => {
  const broker = await startBrokerProcess();
  const worker = await startCliWorker(broker.bootstrap, { args: ["--shutdown-timeout", "1"] });
  try {
    await worker.put("made", { "connector.class": "datagen", topic: "made", template: "{}" });
    await until(async () => {
      const status = JSON.stringify(await worker.ask("GET", "/connectors/made/status"));
      return /"tasks":\[\{[^}]*RUNNING/.test(status) || null;
    }, () => worker.log.join(""));
  } finally {
    await broker.stop("SIGKILL");
  }
  worker.kill("SIGTERM");
  // 3 s; without bounds it would be minutes.
  await worker.exited;
  expect(await worker.said()).toContain("the worker has not ended in time and is left");
}, 30_000);
