/**
 * Brings in what the compatibility suites need, once, into a cache outside the checkout
 * (`KSTREAM_COMPAT_CACHE`, default `~/.cache/kstream-compat`): Kafka's own jars through Maven,
 * Python clients into a virtual environment, kcat from the system's packages. Each function
 * returns null if the thing is there, else why it cannot be had.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CACHE, DebianPackages } from "../harness/debian-packages.ts";
import { run } from "../harness/process.ts";

export { CACHE };
const HERE = import.meta.dir;
/** The version of Kafka that we are compared with. */
export const KAFKA_VERSION = "4.3.1";
const PYTHON_PACKAGES = ["confluent-kafka==2.16.1", "aiokafka[snappy,lz4,zstd]==0.14.0"];
const INSTALL_TIMEOUT_MS = 600_000;

const kafkaPom = join(HERE, "kafka-tools/pom.xml");
/** A folder per version of the project, so that no jars of an older one are in it. */
const kafkaFolder = join(
  CACHE,
  `kafka-${KAFKA_VERSION}-${Bun.hash(readFileSync(kafkaPom, "utf8")).toString(16)}`,
);
/** Kafka's jars: server, tools, clients. */
export const kafkaLibs = join(kafkaFolder, "libs");
/** The Python of the virtual environment that holds the Python clients. */
export const PYTHON = join(CACHE, "venv/bin/python");

function onPath(program: string): boolean {
  return Bun.which(program) !== null;
}

async function install(command: string[], stamp: string, what: string): Promise<string | null> {
  const finished = await run(command, { timeoutMs: INSTALL_TIMEOUT_MS });
  if (finished.exitCode !== 0) {
    return `${what} could not be installed: ${finished.stderr.trim().split("\n").at(-1)}`;
  }
  writeFileSync(stamp, "");
  return null;
}

/** Copies the dependencies of a Maven project into a folder, once. */
export async function fetchJars(
  pom: string,
  folder: string,
  stamp: string,
  what: string,
): Promise<string | null> {
  if (existsSync(stamp)) return null;
  if (!onPath("mvn") || !onPath("javac")) return "needs Maven and a JDK 17 or newer";
  mkdirSync(folder, { recursive: true });
  return await install(
    [
      "mvn",
      "-q",
      "-B",
      "-f",
      pom,
      "dependency:copy-dependencies",
      `-DoutputDirectory=${folder}`,
      `-DbuildDirectory=${join(CACHE, "target")}`,
    ],
    stamp,
    what,
  );
}

/** Kafka's jars: tools, server and Java clients. */
export function needKafka(): Promise<string | null> {
  return fetchJars(kafkaPom, kafkaLibs, join(kafkaFolder, ".complete"), "Kafka's jars");
}

/** confluent-kafka and aiokafka. */
export function needPython(): Promise<string | null> {
  return needVenv("venv", PYTHON_PACKAGES, "the Python clients");
}

/** Programs that know OpenAPI, in a virtual environment of their own. */
export const OPENAPI_PROGRAMS = join(CACHE, "openapi/bin");

/** schemathesis and openapi-spec-validator. */
export function needOpenApiPrograms(): Promise<string | null> {
  const packages = ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"];
  return needVenv("openapi", packages, "the OpenAPI programs");
}

/** The Python that has readers of Parquet. */
export const PARQUET_PYTHON = join(CACHE, "parquet/bin/python");

/** pyarrow and DuckDB. */
export function needParquetReaders(): Promise<string | null> {
  return needVenv("parquet", ["pyarrow==26.0.1", "duckdb==2.0.0"], "readers of Parquet");
}

/** A virtual environment of its own for packages of Python. */
async function needVenv(
  name: string,
  packages: readonly string[],
  what: string,
): Promise<string | null> {
  const folder = join(CACHE, name);
  const stamp = join(folder, `.complete-${Bun.hash(packages.join())}`);
  if (existsSync(stamp)) return null;
  if (!onPath("python3")) return "needs Python 3";
  mkdirSync(CACHE, { recursive: true });
  const made = await run(["python3", "-m", "venv", folder], { timeoutMs: 120_000 });
  if (made.exitCode !== 0) return `no virtual environment: ${made.stderr.trim()}`;
  const command = [join(folder, "bin/python"), "-m", "pip", "install", "-q", ...packages];
  return await install(command, stamp, what);
}

/** kcat; installed from Debian's packages where this process may do so. */
export async function needKcat(): Promise<string | null> {
  if (onPath("kcat")) return null;
  if (!onPath("apt-get") || process.getuid?.() !== 0) return "needs kcat (apt-get install kcat)";
  const updated = await run(["apt-get", "update", "-qq"], { timeoutMs: INSTALL_TIMEOUT_MS });
  if (updated.exitCode !== 0) return "needs kcat, and the package lists could not be read";
  const installed = await run(["apt-get", "install", "-y", "-qq", "kcat"], {
    timeoutMs: INSTALL_TIMEOUT_MS,
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  return installed.exitCode === 0 ? null : "needs kcat, and its package could not be installed";
}

/** etcd's server: the system's, or Debian's package unpacked into the cache. */
export const ETCD = Bun.which("etcd") ?? join(CACHE, "etcd/usr/bin/etcd");

/** etcd. Its package is only unpacked, so that no service of it starts. */
export async function needEtcd(): Promise<string | null> {
  return existsSync(ETCD) ? null : await new DebianPackages("etcd", "etcd-server").need();
}

const PROMETHEUS_DIR = join(CACHE, "prometheus");
/** Prometheus and its tool: the system's, or those of Debian's package unpacked into the cache. */
export const PROMETHEUS = Bun.which("prometheus") ?? join(PROMETHEUS_DIR, "usr/bin/prometheus");
export const PROMTOOL = Bun.which("promtool") ?? join(PROMETHEUS_DIR, "usr/bin/promtool");

/** Prometheus. Its package is only unpacked, so that no service of it starts. */
export async function needPrometheus(): Promise<string | null> {
  if (existsSync(PROMETHEUS) && existsSync(PROMTOOL)) return null;
  return await new DebianPackages("prometheus", "prometheus").need();
}

/** A library that gives a program another clock (libfaketime); null as long as it is not there. */
export function faketimeLibrary(): string | null {
  const cwd = join(CACHE, "faketime");
  if (!existsSync(cwd)) return null;
  const found = new Bun.Glob("usr/lib/*/faketime/libfaketime.so.1");
  return [...found.scanSync({ cwd, absolute: true })][0] ?? null;
}

/** libfaketime, unpacked from Debian's package. */
export async function needFaketime(): Promise<string | null> {
  if (faketimeLibrary() !== null) return null;
  return await new DebianPackages("faketime", "libfaketime").need();
}

/**
 * Whether tests that need etcd can run. CI brings it in, and fails where it cannot; elsewhere they run
 * where it is, and are left out where it is not.
 */
export async function hasEtcd(): Promise<boolean> {
  if (!process.env["CI"]) return existsSync(ETCD);
  const missing = await needEtcd();
  if (missing !== null) throw new Error(missing);
  return true;
}

/** Node, for clients that are to be tried on it. */
export function needNode(): Promise<string | null> {
  return Promise.resolve(onPath("node") ? null : "needs Node.js");
}

/** The command that runs a class of Kafka's jars. */
export function java(className: string, ...args: string[]): string[] {
  return [
    "java",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    `-Dlog4j2.configurationFile=${join(HERE, "kafka-tools/log4j2.xml")}`,
    "-cp",
    join(kafkaLibs, "*"),
    className,
    ...args,
  ];
}
