/** What `--json` prints is what docs/json-schemas.json says, for every command. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@cfworker/json-schema";
import schemas from "../../docs/json-schemas.json" with { type: "json" };
import { referencePages } from "../../scripts/reference/pages.ts";
import { freshDir, withBroker } from "../harness/broker-process.ts";
import { kstream } from "./cli.ts";
import { jsonSteps } from "./json-steps.ts";

/** Commands that print no document, and why. */
const NO_JSON: Readonly<Record<string, string>> = {
  serve: "--print-addr json and --log-format json are its own",
  consume: "-f json prints records",
  completion: "a shell reads what it prints",
  "connect run": "what it says are lines of a log, --log-format json",
  "connect worker": "its REST API answers JSON",
  "connect new": "it says what it has made and what to do next",
  "connect validate": "it prints lines that editors jump to: file:line: message",
  "connect test": "it prints records as lines of JSON, before and after",
  ...Object.fromEntries(
    [
      "create",
      "apply",
      "pause",
      "resume",
      "stop",
      "restart",
      "delete",
      "offsets set",
      "offsets reset",
    ]
      .map((verb) => [`connect ${verb}`, "it says what was done; the REST API answers JSON"]),
  ),
  "stream describe": "--format json is its own",
  "stream run": "what it says are lines of a log, --log-format json",
  "stream sql": "rows are JSON anyway",
  "stream pipe": "it prints values of records, as consume does",
  "stream test": "the runner of tests prints what it prints",
  "stream new": "it says what it has made and what to do next",
  "connect offsets get": "it prints JSON anyway, that of the REST API",
  "generate dashboard": "it prints Grafana's JSON",
  "generate alerts": "it prints Prometheus's YAML",
};

/** Commands whose document other tests look at, since they need more than one broker's data. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "connect list": "connect.test.ts",
  "connect status": "connect.test.ts",
  "connect plugins": "connect.test.ts",
  "stream diff": "stream.test.ts",
  "stream reset": "stream.test.ts",
  "stream settings": "stream.test.ts",
  "topic apply": "topic-apply.test.ts",
  "topic trim": "ranges.test.ts",
  "topic load": "topic-copy.test.ts",
  "topic clone": "topic-copy.test.ts",
  "topic get": "topic-get.test.ts",
  "txn describe": "txn.test.ts",
  "txn abort": "txn.test.ts",
  expect: "expect.test.ts",
  doctor: "doctor.test.ts",
  "bench produce": "bench.test.ts",
  "bench consume": "bench.test.ts",
  "bench latency": "bench.test.ts",
  top: "bench.test.ts",
  "cluster members": "cluster.test.ts",
  "cluster start-local": "cluster.test.ts",
  "cluster migrate": "cluster.test.ts",
  "cluster drain": "cluster-moves.test.ts",
  "cluster rebalance": "cluster-moves.test.ts",
  "cluster remove": "cluster-moves.test.ts",
  "cluster unthrottle": "cluster-moves.test.ts",
  "topic reassign": "cluster-moves.test.ts",
  "topic purge": "trash.test.ts",
  "topic undo": "trash.test.ts",
};

const known = new Map<string, object>(Object.entries(schemas.$defs));

test("every command prints JSON, in the docs and by a schema, or has a reason", async () => {
  const docs = readFileSync(join(import.meta.dir, "../../docs/json.md"), "utf8");
  for (const { path, optionGroups } of await referencePages()) {
    const name = path.replace("kstream ", "");
    if (Object.hasOwn(NO_JSON, name)) continue;
    const options = optionGroups.flatMap((group) => group.options);
    expect([name, options.some((option) => option.name === "--json")]).toEqual([name, true]);
    expect([name, "in json.md", docs.includes(`${name}\``)]).toEqual([name, "in json.md", true]);
    const hasSchema = known.has(name) || Object.hasOwn(ELSEWHERE, name);
    expect([name, "has a schema", hasSchema]).toEqual([name, "has a schema", true]);
  }
});

test("what is said to be elsewhere is there", () => {
  for (const file of Object.values(ELSEWHERE)) {
    expect(readFileSync(join(import.meta.dir, file), "utf8")).toContain('"--json"');
  }
});

test("documents are as their schemas say", async () => {
  const directory = freshDir("json");
  const args = [
    "--memory",
    "--dev",
    "--admin",
    "127.0.0.1:0",
    "--set",
    "super.users=User:ANONYMOUS",
  ];
  const authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
  await withBroker(async (broker) => {
    const env = { XDG_CONFIG_HOME: directory, KSTREAM_ADMIN: broker.admin ?? "" };
    const seen = new Set<string>();
    for (const { command, args, input, exitCode = 0 } of jsonSteps(directory)) {
      const { stdout, stderr, exitCode: code } = await kstream(
        [...command.split(" "), ...args, "--json"],
        { brokers: broker.bootstrap, env, ...(input === undefined ? {} : { input }) },
      );
      expect([command, code, stderr]).toEqual([command, exitCode, stderr]);
      const { errors } = new Validator(known.get(command)!, "2020-12").validate(JSON.parse(stdout));
      expect([command, errors]).toEqual([command, []]);
      seen.add(command);
    }
    // What "inspect" prints is a line for each thing that it finds: see inspect.test.ts.
    const unseen = [...known.keys()].filter((name) => !seen.has(name));
    expect(unseen.filter((name) => !name.startsWith("inspect "))).toEqual([]);
  }, { args: [...args, "--set", `authorizer.class.name=${authorizer}`] });
}, 60_000);

test("a document that lacks a field or has another type is refused by its schema", () => {
  const { errors } = new Validator(known.get("topic list")!, "2020-12").validate([{ topic: 1 }]);
  expect(errors.map(({ keyword }) => keyword)).toEqual(
    expect.arrayContaining(["required", "type"]),
  );
});
