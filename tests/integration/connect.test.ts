/** `kstream connect` of the built binary: connectors of files, without a worker. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { linesOf } from "../harness/process.ts";
import { fails, kstream, ok } from "./cli.ts";

const dir = freshDir("connect");

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

const MADE_UP = file(
  "made-up.yaml",
  `name: made-up
connector: datagen
topic: orders
template: '{"id": "{{sequence}}", "paid": "{{boolean 0.5}}"}'
count: 500
rate: 0
`,
);

test("sources that end are run to their end, and again bring nothing", () =>
  withBroker(async ({ bootstrap }) => {
    const options = { brokers: bootstrap };
    await ok(["connect", "run", MADE_UP], options);
    const lines = async () =>
      (await ok(["consume", "orders", "-e"], options)).trimEnd().split("\n");
    expect((await lines()).map((line) => JSON.parse(line).id)).toEqual(
      Array.from({ length: 500 }, (_, i) => i),
    );
    await ok(["connect", "run", MADE_UP], options);
    expect(await lines()).toHaveLength(500);
  }));

test("a sink gets what its transforms let through, until it is stopped, and goes on behind it", () =>
  withBroker(async ({ bootstrap }) => {
    const options = { brokers: bootstrap };
    const out = join(dir, "out.jsonl");
    const sink = file(
      "sink.yaml",
      `name: to-file
connector: file-sink
topics: [orders]
file: ${out}
transforms:
  - { name: paid, type: expr, where: v.paid }
`,
    );
    await ok(["connect", "run", MADE_UP], options);
    const paid = (await ok(["consume", "orders", "-e", "--where", "v.paid"], options)).trimEnd();
    const until = async (text: string) => {
      const running = Bun.spawn([KSTREAM, "connect", "run", sink, "-b", bootstrap], {
        stderr: "ignore",
      });
      while ((await Bun.file(out).exists() ? readFileSync(out, "utf8") : "").trimEnd() !== text) {
        if (running.exitCode !== null) throw new Error(`it has ended with ${running.exitCode}`);
        await Bun.sleep(20);
      }
      running.kill("SIGTERM");
      expect(await running.exited).toBe(0);
    };
    await until(paid);
    await ok(["produce", "orders"], { ...options, input: '{"id":500,"paid":true}\n' });
    await until(`${paid}\n{"id":500,"paid":true}`);
  }));

test("what is wrong is told with its line, before anything begins", () =>
  withBroker(async ({ bootstrap }) => {
    const options = { brokers: bootstrap };
    const wrong = file("wrong.yaml", "name: x\nconnector: datagen\ntopic: t\nrate: fast\n");
    await fails(["connect", "validate", wrong], 2, ["1 problem found"]);
    await fails(["connect", "run", wrong], 2, [`${wrong}:4: "rate" must be a number`], options);
    const unknown = file("unknown.yaml", "name: x\nconnector: datagen\ntopic: t\nrates: 1\n");
    await fails(["connect", "validate", unknown], 2, ["1 problem found"]);
    await fails(["connect", "run", unknown], 2, [
      `${unknown}:4: "rates" is no field of this connector: did you mean "rate"?`,
    ], options);
    const exec = file("exec.yaml", "name: x\nconnector: exec-source\ntopic: t\ncommand: id\n");
    await fails(["connect", "run", exec], 2, ["exec-source"], options);
    await ok(["connect", "validate", MADE_UP]);
    await fails(["connect", "validate", join(dir, "none.yaml")], 2, ["no such file"]);
  }));

test("a task that fails fails the run once its restarts are used up", () =>
  withBroker(async ({ bootstrap }) => {
    const sink = file(
      "failing.yaml",
      `name: failing\nconnector: file-sink\ntopics: [orders]\nfile: ${dir}/failing\n`,
    );
    await ok(["produce", "orders"], { brokers: bootstrap, input: "{}\nno json\n" });
    const args = ["connect", "run", sink, "--restarts", "1", "--log-level", "error"];
    const { exitCode, stderr } = await kstream(args, { brokers: bootstrap });
    expect(stderr.split("the task has failed")).toHaveLength(3);
    expect(stderr).toMatch(/\nkstream: failing-0 has failed: .*orders-0 at offset 1: .*\n$/);
    expect(exitCode).toBe(1);
  }));

test("test shows records before and after, and writes nothing", () =>
  withBroker(async ({ bootstrap }) => {
    const options = { brokers: bootstrap };
    const shown = await ok(["connect", "test", MADE_UP, "-n", "2"], options);
    expect(shown.match(/^< /gm)).toHaveLength(2);
    expect(shown).toContain('"value":{"id":0,"paid":');
    await fails(["topic", "describe", "orders"], 1, ["orders"], options);
    await ok(["produce", "orders", "--key-delimiter", "="], {
      ...options,
      input: 'k={"id":7}\nk=x\n',
    });
    const sink = file(
      "shown.yaml",
      "name: s\nconnector: stdout\ntopics: [orders]\nkey.converter: string\n" +
        "transforms: [{ name: id, type: ExtractField$Value, field: id }]\n",
    );
    const { stdout } = await fails(
      ["connect", "test", sink],
      1,
      ["1 of 2 records cannot be taken"],
      options,
    );
    expect(stdout).toContain('< {"topic":"orders","key":"k","value":{"id":7}}\n> ');
    expect(stdout).toContain('"value":7}');
    expect(stdout).toContain("! VALUE_CONVERTER: ");
  }));

test("plugins are listed and explained", async () => {
  expect(await ok(["connect", "plugins"])).toContain("datagen");
  const told = await ok(["connect", "plugins", "FileStreamSink"]);
  expect(told).toContain("file-sink");
  expect(told).toContain("errors.deadletterqueue.topic.name");
  const listed = JSON.parse(await ok(["connect", "plugins", "--json"]));
  expect(listed).toContainEqual(expect.objectContaining({ name: "stdin", kind: "source" }));
  const one = JSON.parse(await ok(["connect", "plugins", "stdin", "--json"]));
  expect(one.fields[0]).toMatchObject({ name: "topic", type: "string", isRequired: true });
  await fails(["connect", "plugins", "datgen"], 2, ['did you mean "datagen"?']);
});

test("a worker's connectors are made, listed, looked at and paused", () =>
  withBroker(async ({ bootstrap }) => {
    const worker = Bun.spawn(
      [KSTREAM, "connect", "worker", "--group", "g", "--rest", "127.0.0.1:0", "-b", bootstrap],
      { stdout: "pipe", stderr: "ignore" },
    );
    try {
      let url = "";
      for await (const line of linesOf(worker.stdout)) {
        url = /http:\S+/.exec(line)?.[0] ?? "";
        if (url !== "") break;
      }
      const at = ["--worker", url];
      await ok(["connect", "apply", MADE_UP, ...at]);
      expect(await ok(["connect", "apply", MADE_UP, ...at])).toBe("");
      const status = async () =>
        JSON.parse(await ok(["connect", "status", "made-up", "--json", ...at]));
      while ((await status()).tasks[0]?.state !== "RUNNING") await Bun.sleep(20);
      expect(await status()).toMatchObject({ name: "made-up", connector: { state: "RUNNING" } });
      expect(Object.keys(JSON.parse(await ok(["connect", "list", "--json", ...at])))).toEqual([
        "made-up",
      ]);
      expect(await ok(["connect", "list", ...at])).toMatch(
        /made-up +RUNNING +1\/1 +source +datagen/,
      );
      await ok(["connect", "pause", "made-up", ...at]);
      while ((await status()).tasks[0]?.state !== "PAUSED") await Bun.sleep(20);
      await fails(["connect", "restart", "none", ...at], 1, ["none"]);
      await ok(["connect", "delete", "made-up", ...at]);
      await fails(["connect", "status", "made-up", ...at], 1, ["made-up"]);
    } finally {
      worker.kill("SIGTERM");
      await worker.exited;
    }
  }));
