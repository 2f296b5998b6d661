/**
 * The commands of README.md: each line that needs only a broker is run, in its order, over a few
 * topics and files as somebody may have them, and ends as it should.
 */
import { expect, test } from "bun:test";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";

const README = join(import.meta.dir, "../../README.md");
const text = readFileSync(README, "utf8");
const lines = [...text.matchAll(/^ {4}\$ (.+)$/gm)]
  .map(([, line = ""]) => line);

/** Other clusters, programs and workers that are not here, and a screen. */
const ELSEWHERE =
  /connect (?:apply|list)|staging|kafka:9093|kafka-1|pass show|work\.sh|--follow|kstream top |acl |profile|data\//;
/** They go on until somebody ends them, or for half a minute. */
const LONG = [
  "kstream consume --topics 'logs-.*' -f table",
  "kstream consume orders --where",
  "kstream consume orders -g billing --group-protocol",
  "kstream wait group billing --lag 0",
  "kstream expect orders-dlq",
  "kstream bench latency",
  "kstream connect run",
  "kstream stream run",
  "kstream doctor group billing",
];
/** What fails here, where nothing of the kind is open or wrong, and how. */
const FAILURES: Readonly<Record<string, string>> = {
  "kstream expect orders --within 10s --count 3": " matched, 3 expected",
  "kstream expect orders --count 2..5": " matched, 2 to 5 expected",
  "kstream txn describe": 'no transactional id "billing-1"',
  "kstream txn abort billing-1": 'no transactional id "billing-1"',
  "kstream txn abort --partition": "no transaction is open",
};

const LINE_SECONDS = 10;

const ORDERS = Array.from({ length: 200 }, (_, i) => {
  const id = i + 1;
  return JSON.stringify({
    id,
    seq: id,
    total: id,
    status: "paid",
    customer: { id },
  });
});

/** What the lines are about. */
const SCENE = `
kstream produce orders < orders.ndjson
kstream produce users --key-delimiter : <<< 'a:{"name":"Ann"}'
kstream produce customers --key-delimiter : <<< '42:{"name":"Bo"}'
kstream produce blobs <<< blob
kstream produce old-orders <<< old
kstream topic create old
kstream topic create orders-dlq
kstream consume orders -g billing -n 1 > printed
kstream group seek billing --create --to start -t old-orders --execute
`;

test("the lines of README.md do what they say", async () => {
  await withBroker(async ({ bootstrap, admin }) => {
    const [home, bin] = [freshDir("readme"), freshDir("bin")];
    symlinkSync(KSTREAM, join(bin, "kstream"));
    symlinkSync(join(README, "../examples"), join(home, "examples"));
    writeFileSync(join(home, "orders.ndjson"), `${ORDERS.join("\n")}\n`);
    writeFileSync(join(home, "customers.csv"), "id,name\n1,Ann\n2\n");
    writeFileSync(join(home, "topics.yaml"), "topics:\n  orders:\n    partitions: 12\n");
    const config = /^ {4}\$ cat to-files\.yaml\n((?: {4}[^$].*\n)+)/m.exec(text)?.[1] ?? "";
    writeFileSync(join(home, "to-files.yaml"), config.replace(/^ {4}/gm, ""));
    const shell = (line: string) =>
      run(["timeout", "-k", "1", `${LINE_SECONDS}`, "bash", "-o", "pipefail", "-c", line], {
        cwd: home,
        env: {
          PATH: `${bin}:${process.env["PATH"]}`,
          XDG_CONFIG_HOME: home,
          KSTREAM_BROKERS: bootstrap,
          KSTREAM_ADMIN: admin ?? "",
        },
        timeoutMs: 1000 * LINE_SECONDS + 5000,
      });
    expect(await shell(`set -e\n${SCENE}`)).toMatchObject({ exitCode: 0 });
    const wrong: unknown[] = [];
    let done = 0;
    for (const line of lines) {
      if (ELSEWHERE.test(line) || LONG.some((start) => line.startsWith(start))) continue;
      if (line.includes("curl") && Bun.which("curl") === null) continue;
      const { exitCode, stderr } = await shell(
        line.replaceAll("http://127.0.0.1:8080", admin ?? ""),
      );
      const failure = Object.entries(FAILURES).find(([start]) => line.startsWith(start))?.[1];
      const isWell = failure === undefined
        ? exitCode === 0
        : exitCode === 1 && stderr.includes(failure);
      if (!isWell) wrong.push({ line, exitCode, stderr });
      if (line.startsWith("kstream topic create audit")) await shell("kstream produce audit <<< x");
      done++;
    }
    expect(wrong).toEqual([]);
    expect(done).toBeGreaterThan(40);
  }, { args: ["--memory", "--dev", "--topic", "orders:3"] });
}, 120_000);
