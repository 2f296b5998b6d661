/**
 * What traces cost: the processor time of a broker with traces on against one with them off, for records
 * without a context, compressed or not, for records that all have one, and for many small requests. With `--before BINARY` one
 * with them off is against that binary. `bun bench/traces.ts [--pairs 6] [--scale 1]
 * [--only plain|lz4|traced|requests] [--before BINARY]`
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  type BrokerProcess,
  freshDir,
  KSTREAM,
  startBrokerProcess,
} from "../tests/harness/broker-process.ts";
import { optionAfter } from "../tests/harness/flags.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { runOk } from "../tests/harness/process.ts";
import { produce as produceApi } from "../core/protocol/00-produce.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { cpuSeconds, ratios } from "./measure.ts";
import type { Target } from "./targets.ts";
import { createTopic, deleteTopic, produce } from "./workloads.ts";

type Side = "before" | "off" | "on";

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const RECORD_BYTES = 1000;
const REQUESTS = 40_000;
const UNDER_WAY = 16;

async function start(binary: string, settings: Readonly<Record<string, string>>) {
  const set = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const args = ["--durability", "os", "--admin", "127.0.0.1:0", ...set];
  const broker: BrokerProcess = await startBrokerProcess({ args, binary });
  const target: Target & { readonly admin: string } = {
    name: "kstream",
    bootstrap: broker.bootstrap,
    pid: broker.pid,
    logDir: broker.dataDir,
    admin: broker.admin ?? "",
    stop: async () => void await broker.stop(),
  };
  return target;
}

/** Takes all, and is a process of its own only as far as processor time goes: nobody counts this one. */
const collector = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    await request.bytes();
    return Response.json({});
  },
});

const args = process.argv.slice(2);
const pairs = Number(optionAfter(args, "--pairs", "6"));
const scale = Number(optionAfter(args, "--scale", "1"));
const only = optionAfter(args, "--only", "");
const before = optionAfter(args, "--before", "");

const endpoint = { "kstream.otlp.endpoint": `http://127.0.0.1:${collector.port}` };
const [subject, base]: readonly [Side, Side] = before === "" ? ["on", "off"] : ["off", "before"];
const targets = new Map<Side, Awaited<ReturnType<typeof start>>>([
  [
    base,
    await start(before === "" ? KSTREAM : before, {}),
  ],
  [
    subject,
    await start(KSTREAM, before === "" ? { ...endpoint, "kstream.otlp.traces": "on" } : {}),
  ],
]);

const records = Math.round(500_000 * scale);
const dir = freshDir("traces-bench");
const lines = join(dir, "lines");
await Bun.write(lines, `${"x".repeat(RECORD_BYTES - 1)}\n`.repeat(Math.round(records / 5)));

/** Processor seconds of the broker for the records of one run. */
const WORKLOADS: Readonly<Record<string, (target: Target, topic: string) => Promise<number>>> = {
  plain: (target, topic) => perf(target, topic, "none"),
  lz4: (target, topic) => perf(target, topic, "lz4"),
  requests,
  traced: async (target, topic) => {
    const startSeconds = cpuSeconds(target.pid);
    const command = [KSTREAM, "produce", topic, "-b", target.bootstrap, "-H"];
    await runOk([...command, `traceparent=${TRACEPARENT}`, lines], { timeoutMs: 120_000 });
    return cpuSeconds(target.pid) - startSeconds;
  },
};

/** One record in each request, 16 of them under way: what a request costs counts here, not bytes. */
async function requests(target: Target, topic: string): Promise<number> {
  const builder = new BatchBuilder();
  builder.append(Date.now(), null, new Uint8Array(100));
  const records = builder.build();
  const client = await RawClient.connect(Number(target.bootstrap.split(":").at(-1)));
  const startSeconds = cpuSeconds(target.pid);
  for (let left = REQUESTS * scale; left > 0; left -= UNDER_WAY) {
    for (let sent = 0; sent < UNDER_WAY; sent++) {
      const partitionData = [{ index: 0, records }];
      client.send(produceApi, 9, {
        acks: 1,
        timeoutMs: 10_000,
        topicData: [{ name: topic, partitionData }],
      });
    }
    for (let answered = 0; answered < UNDER_WAY; answered++) await client.readFrame();
  }
  const used = cpuSeconds(target.pid) - startSeconds;
  client.close();
  return used;
}

async function perf(target: Target, topic: string, compression: "none" | "lz4") {
  const workload = { partitions: 12, recordBytes: RECORD_BYTES, compression, acks: "all", records };
  return (await produce(target, topic, { ...workload, acks: "all" })).cpuSecondsPerGb;
}

for (const [name, run] of Object.entries(WORKLOADS)) {
  if (only !== "" && only !== name) continue;
  const samples = new Map<Side, number[]>();
  for (let pair = 0; pair <= pairs; pair++) {
    // In turns, so that neither side is always the first.
    const sides = [...targets];
    for (const [side, target] of pair % 2 === 0 ? sides : sides.reverse()) {
      const topic = `bench-${Bun.nanoseconds()}`;
      await createTopic(target, topic, 12);
      const cpu = await run(target, topic);
      await deleteTopic(target, topic);
      // The first round warms all.
      if (pair > 0) samples.set(side, [...samples.get(side) ?? [], cpu]);
    }
  }
  const of = (side: Side) => samples.get(side) ?? [];
  console.log(name, `${subject} over ${base}`, JSON.stringify(ratios(of(subject), of(base))));
}
const shown = await (await fetch(`${targets.get(subject)?.admin}/metrics`)).text();
console.log(shown.split("\n").filter((line) => /^kstream_(spans|trace)_/.test(line)).join("\n"));
for (const target of targets.values()) await target.stop();
await collector.stop(true);
rmSync(dir, { recursive: true, force: true });
