/** Prometheus and promtool: what a broker shows, and the rules and expressions that kstream prints. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROWS } from "../../../cmd/generate/dashboard.ts";
import { type BrokerProcess, freshDir, KSTREAM, withBroker } from "../../harness/broker-process.ts";
import { run, runOk } from "../../harness/process.ts";
import { needPrometheus, PROMETHEUS, PROMTOOL } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual, numberedLines } from "../suite.ts";

const OPTIONS = { args: ["--admin", "127.0.0.1:0", "--topic", "orders:1"] };

/** Something of each kind to be shown. */
async function use({ bootstrap }: BrokerProcess): Promise<void> {
  const brokers = ["--brokers", bootstrap];
  await runOk([KSTREAM, "produce", "orders", ...brokers], { input: numberedLines("order", 100) });
  await runOk([KSTREAM, "consume", "orders", "-g", "readers", "-n", "100", ...brokers]);
  await runOk([KSTREAM, "produce", "orders", ...brokers], { input: numberedLines("order", 50) });
}

function adminOf({ admin }: BrokerProcess): string {
  if (admin === null) throw new Error("the broker has no admin server");
  return admin;
}

async function promtoolAcceptsMetrics(): Promise<void> {
  await withBroker(async (broker) => {
    await use(broker);
    for (const path of ["/metrics", "/metrics?aliases=1", "/metrics/detail?aliases=1"]) {
      const answer = await fetch(adminOf(broker) + path);
      const checked = await run([PROMTOOL, "check", "metrics"], { input: await answer.text() });
      // The name is kafka_exporter's, and an alias has to be what it is an alias of.
      const complaints = checked.stderr.split("\n")
        .filter((line) => line !== "" && !line.startsWith("kafka_consumergroup_lag_sum "));
      expectEqual([path, complaints, checked.stdout], [path, [], ""], "promtool");
    }
  }, OPTIONS);
}

async function promtoolAcceptsRules(): Promise<void> {
  const dir = freshDir("rules");
  const file = join(dir, "rules.yaml");
  const { stdout } = await runOk([KSTREAM, "generate", "alerts", "--job", "shop"]);
  writeFileSync(file, stdout);
  const checked = await runOk([PROMTOOL, "check", "rules", file]);
  expectContains(checked.stdout, /SUCCESS: \d+ rules found/, "promtool");
  rmSync(dir, { recursive: true });
}

/** A Prometheus that scrapes the broker each second; its address is found in its log. */
async function withPrometheus(
  target: string,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const dir = freshDir("prometheus");
  const { stdout: rules } = await runOk([KSTREAM, "generate", "alerts"]);
  writeFileSync(join(dir, "rules.yaml"), rules);
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: ["rules.yaml"],
    scrape_configs: [{ job_name: "kstream", static_configs: [{ targets: [target] }] }],
  };
  // JSON is YAML.
  writeFileSync(join(dir, "prometheus.yml"), JSON.stringify(config));
  const child = Bun.spawn([
    PROMETHEUS,
    "--config.file=prometheus.yml",
    "--storage.tsdb.path=data",
    "--web.listen-address=127.0.0.1:0",
  ], { cwd: dir, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  try {
    const address = await listening(child.stderr);
    const url = `http://${address}`;
    await until("Prometheus is ready", async () => (await fetch(`${url}/-/ready`)).ok || null);
    await body(url);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(dir, { recursive: true, force: true });
  }
}

async function listening(log: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let seen = "";
  const reader = log.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`Prometheus ended:\n${seen.slice(-3000)}`);
    seen += decoder.decode(value, { stream: true });
    const address = /Listening on.*?(127\.0\.0\.1:\d+)/.exec(seen)?.[1];
    if (address === undefined || address.endsWith(":0")) continue;
    // Whoever writes to a pipe that nobody reads stops some day.
    void (async () => {
      while (!(await reader.read()).done);
    })().catch(() => {});
    return address;
  }
}

/** Asks until the answer is as wanted, for a minute. */
async function until<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  for (const deadline = Date.now() + 60_000;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`);
    await Bun.sleep(100);
  }
}

interface QueryAnswer {
  readonly status: string;
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

async function query(prometheus: string, expr: string): Promise<QueryAnswer> {
  const answer = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(expr)}`);
  return await answer.json() as QueryAnswer;
}

/** One value, or null as long as there is none. */
async function valueOf(prometheus: string, expr: string): Promise<number | null> {
  const { data } = await query(prometheus, expr);
  return data.result.length === 0 ? null : Number(data.result[0]?.value[1]);
}

interface RulesAnswer {
  readonly data: {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly name: string;
        readonly health: string;
        readonly state: string;
        readonly lastError?: string;
      }[];
    }[];
  };
}

async function prometheusScrapes(): Promise<void> {
  await withBroker(async (broker) => {
    await use(broker);
    await withPrometheus(new URL(adminOf(broker)).host, async (prometheus) => {
      await until(
        "the broker is up",
        async () => await valueOf(prometheus, 'up{job="kstream"}') === 1 || null,
      );
      expectEqual(
        await valueOf(prometheus, 'kstream_topic_produced_records_total{topic="orders"}'),
        150,
        "records",
      );
      const lag = 'kstream_group_lag_records{group="readers",topic="orders"}';
      expectEqual(await valueOf(prometheus, lag), 50, "lag");
      const rules = await until("all rules were evaluated", async () => {
        const answer = await fetch(`${prometheus}/api/v1/rules`);
        const found = (await answer.json() as RulesAnswer).data.groups.flatMap(({ rules }) =>
          rules
        );
        const isDone = found.length > 0 && found.every(({ health }) => health !== "unknown");
        return isDone ? found : null;
      });
      const bad = rules.filter(({ health, state }) => health !== "ok" || state === "firing");
      expectEqual(bad, [], "rules that failed, or fire at a sound broker");
      await evaluateDashboard(prometheus);
    });
  }, OPTIONS);
}

/** Each expression of the dashboard as Grafana asks it; those over busy APIs have to find something. */
async function evaluateDashboard(prometheus: string): Promise<void> {
  for (const [expr] of ROWS.flatMap(({ panels }) => panels.flatMap(({ lines }) => lines))) {
    const asked = expr.replaceAll("SEL", 'job=~"kstream", instance=~".*"')
      .replaceAll("$__rate_interval", "1m");
    expectEqual([asked, (await query(prometheus, asked)).status], [asked, "success"], "a query");
  }
}

export const prometheus: CompatSuite = {
  name: "prometheus",
  needs: [needPrometheus],
  inSample: true,
  cases: [
    { name: "promtool finds nothing wrong with the metrics", run: promtoolAcceptsMetrics },
    { name: "promtool loads the rules", run: promtoolAcceptsRules },
    { name: "Prometheus scrapes, evaluates rules and the dashboard", run: prometheusScrapes },
  ],
};
