/** Compiles and runs the Java programs in `java/`: Kafka's own clients in scenarios of ours. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../harness/process.ts";
import { CACHE, fetchJars, java, KAFKA_VERSION, kafkaLibs, needKafka } from "./install.ts";

const SOURCES = join(import.meta.dir, "java");
const libs = join(CACHE, `java-programs-${KAFKA_VERSION}`, "libs");

function sourceFiles(): string[] {
  const names = readdirSync(SOURCES).filter((name) => name.endsWith(".java"));
  return names.sort().map((name) => join(SOURCES, name));
}

/** Where the classes of the sources lie, as these were when this process began. */
const classes = join(
  CACHE,
  `java-programs-${KAFKA_VERSION}`,
  `classes-${
    Bun.hash(sourceFiles().map((file) => readFileSync(file, "utf8")).join()).toString(16)
  }`,
);

/** Kafka's jars, those of Kafka Streams and Connect's file connectors, and the compiled programs. */
export async function needJavaPrograms(): Promise<string | null> {
  const reason = await needKafka() ?? await fetchJars(
    join(SOURCES, "pom.xml"),
    libs,
    join(libs, `../.complete-${Bun.hash(readFileSync(join(SOURCES, "pom.xml"))).toString(16)}`),
    "the jars of Kafka Streams and Connect",
  );
  if (reason !== null) return reason;
  const stamp = join(classes, ".complete");
  if (existsSync(stamp)) return null;
  mkdirSync(classes, { recursive: true });
  const command = ["javac", "-nowarn", "-d", classes, "-cp", classPath(), ...sourceFiles()];
  const compiled = await run(command, { timeoutMs: 120_000 });
  if (compiled.exitCode !== 0) throw new Error(`the Java programs:\n${compiled.stderr}`);
  writeFileSync(stamp, "");
  return null;
}

function classPath(): string {
  return [classes, join(kafkaLibs, "*"), join(libs, "*")].join(":");
}

/** The command that runs one of the programs, or any class of the jars. */
export function javaProgram(className: string, ...args: string[]): string[] {
  return java(className, ...args).map((part) => part === join(kafkaLibs, "*") ? classPath() : part);
}

/** Runs scenarios of a program and fails with what those that failed have said. */
export async function runScenarios(
  program: string,
  bootstrap: string,
  scenarios: readonly string[],
): Promise<void> {
  const command = javaProgram(program, bootstrap, ...scenarios);
  const finished = await run(command, { timeoutMs: 170_000 });
  const passed = finished.stdout.match(/^ok /gm)?.length ?? 0;
  if (finished.exitCode !== 0 || passed !== scenarios.length) {
    const failed = finished.stdout.split(/^(?=ok |FAIL )/m).filter((part) =>
      !part.startsWith("ok ")
    );
    throw new Error(`${failed.join("").slice(0, 6000)}\n${finished.stderr.slice(-1500)}`);
  }
}

/** Configs of brokers on which sessions of applications that were killed end soon. */
export const SOON = {
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
  "group.min.session.timeout.ms": "1000",
  "group.streams.min.session.timeout.ms": "1000",
  "group.streams.session.timeout.ms": "3000",
  "group.streams.min.heartbeat.interval.ms": "100",
  "group.streams.heartbeat.interval.ms": "500",
  "group.streams.initial.rebalance.delay.ms": "0",
};
