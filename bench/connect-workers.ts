/** The two workers of connectors that are compared: the built binary and Apache Kafka's own. */
import { join } from "node:path";
import { freePort } from "../tests/harness/free-ports.ts";
import { javaProgram } from "../tests/compat/java-programs.ts";
import { KSTREAM } from "../tests/harness/broker-process.ts";

export type ConverterName = "string" | "json";

/** A worker of a group, alone in it. */
export interface RunningWorker {
  readonly pid: number;
  /** From exec to the first answer of its REST API. */
  readonly readyMs: number;
  /** Makes a connector. */
  put(name: string, config: Readonly<Record<string, string>>): Promise<void>;
  remove(name: string): Promise<void>;
  stop(): Promise<void>;
  /** The end of what it has said on stderr; once it has ended. */
  said(): Promise<string>;
}

export interface WorkerKind {
  readonly name: string;
  /** Config of connectors of files. */
  readonly source: Readonly<Record<string, string>>;
  readonly sink: Readonly<Record<string, string>>;
  /** Bytes of what a sink makes of so many lines. */
  sinkBytes(inputBytes: number, lines: number, converter: ConverterName): number;
  start(bootstrap: string, dir: string, group: string): Promise<RunningWorker>;
  /** A worker that is no member of a group, with one connector. */
  startAlone(
    bootstrap: string,
    dir: string,
    connector: Readonly<Record<string, string>>,
  ): Promise<Bun.Subprocess>;
}

export const OUR_WORKER: WorkerKind = {
  name: "kstream",
  source: { "connector.class": "file-source" },
  sink: { "connector.class": "file-sink" },
  sinkBytes: (inputBytes) => inputBytes,
  start: async (bootstrap, _dir, group) => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const rest = url.slice("http://".length);
    const command = [KSTREAM, "connect", "worker", "--group", group, "--rest", rest];
    return running(url, [...command, "-b", bootstrap]);
  },
  startAlone: async (bootstrap, dir, connector) => {
    const file = join(dir, `${connector["name"]}.json`);
    await Bun.write(file, JSON.stringify(connector));
    const command = [KSTREAM, "connect", "run", file, "-b", bootstrap];
    return Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  },
};

/** Its memory and garbage collector as `connect-distributed.sh` has them. */
const JVM_FLAGS = [
  "-Xms256M",
  "-Xmx2G",
  "-server",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
];

function kafka(className: string, ...args: string[]): string[] {
  const [program, ...rest] = javaProgram(className, ...args);
  return [program!, ...JVM_FLAGS, ...rest.filter((flag) => !flag.startsWith("-X"))];
}

function properties(config: Readonly<Record<string, string>>): string {
  return Object.entries(config).map(([key, value]) => `${key}=${value}`).join("\n");
}

const STRING_CONVERTERS = {
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.storage.StringConverter",
};

const FILE_STREAM = "org.apache.kafka.connect.file.FileStream";
/** The text of a map in Java lacks quotes and has blanks behind commas. */
const JAVA_MAP_SHORTER_BYTES = 8;

/** Another way of looking for plugins than the default's: `plugin.discovery`. */
export function kafkaWorker(discovery: string): WorkerKind {
  const more = { "plugin.discovery": discovery };
  return {
    name: "kafka",
    source: { "connector.class": `${FILE_STREAM}SourceConnector` },
    sink: { "connector.class": `${FILE_STREAM}SinkConnector` },
    sinkBytes: (inputBytes, lines, converter) =>
      converter === "json" ? inputBytes - lines * JAVA_MAP_SHORTER_BYTES : inputBytes,
    start: async (bootstrap, dir, group) => {
      const url = `http://127.0.0.1:${await freePort()}`;
      const config = join(dir, `${group}.properties`);
      const settings = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        listeners: url,
        ...STRING_CONVERTERS,
        "config.storage.topic": `${group}-configs`,
        "offset.storage.topic": `${group}-offsets`,
        "status.storage.topic": `${group}-status`,
        "config.storage.replication.factor": "1",
        "offset.storage.replication.factor": "1",
        "status.storage.replication.factor": "1",
        ...more,
      };
      await Bun.write(config, properties(settings));
      return running(url, kafka("org.apache.kafka.connect.cli.ConnectDistributed", config));
    },
    startAlone: async (bootstrap, dir, connector) => {
      const [worker, config] = ["worker", "connector"].map((what) =>
        join(dir, `${connector["name"]}-${what}.properties`)
      );
      const settings = {
        "bootstrap.servers": bootstrap,
        listeners: `http://127.0.0.1:${await freePort()}`,
        ...STRING_CONVERTERS,
        "offset.storage.file.filename": join(dir, `${connector["name"]}.offsets`),
        ...more,
      };
      await Bun.write(worker!, properties(settings));
      await Bun.write(config!, properties(connector));
      const command = kafka("org.apache.kafka.connect.cli.ConnectStandalone", worker!, config!);
      return Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    },
  };
}

const READY_WITHIN_MS = 60_000;

async function running(url: string, command: string[]): Promise<RunningWorker> {
  const beganMs = performance.now();
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = new Response(child.stderr).text();
  const stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  while (!await fetch(`${url}/health`).then((answer) => answer.ok, () => false)) {
    if (child.exitCode !== null || performance.now() - beganMs > READY_WITHIN_MS) {
      await stop();
      throw new Error(`the worker did not start: ${(await said).slice(-2000)}`);
    }
    await Bun.sleep(2);
  }
  const readyMs = performance.now() - beganMs;
  /** While a group is sharing out, it answers 409. */
  const ask = async (method: string, path: string, body?: string) => {
    const headers = { "content-type": "application/json" };
    for (;;) {
      const answer = await fetch(`${url}${path}`, { method, headers, body: body ?? null });
      if (answer.ok) return;
      if (answer.status !== 409) {
        throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      }
      await Bun.sleep(20);
    }
  };
  return {
    pid: child.pid,
    readyMs,
    put: (name, config) => ask("PUT", `/connectors/${name}/config`, JSON.stringify(config)),
    remove: (name) => ask("DELETE", `/connectors/${name}`),
    stop,
    said: async () => (await said).slice(-2000),
  };
}
