/**
 * Kafka's own message classes as the judge of our codec: they serialise seeded random messages of
 * every API, header and record in every version; ours must decode each and encode it to the same
 * bytes.
 */
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "../../harness/process.ts";
import { decodeData, encodeData, joinChunks } from "../../../core/protocol/codec.ts";
import * as headers from "../../../core/protocol/headers.ts";
import * as records from "../../../core/protocol/records/index.ts";
import { apis } from "../../../core/protocol/index.ts";
import { type Message, parseVersions, type UnknownTag } from "../../../core/protocol/schema.ts";

const CACHE = process.env["KSTREAM_COMPAT_CACHE"] ?? join(homedir(), ".cache/kstream-compat");
/** Tags above this are the oracle's own. */
const MADE_UP_TAG_MIN = 100;
const HERE = import.meta.dir;

/** A set of Kafka's jars, and the messages whose classes are in it. */
interface Jars {
  readonly pom: string;
  readonly libs: string;
  readonly messages: readonly Message[];
}

function clientJars(): Jars {
  return {
    pom: join(HERE, "pom.xml"),
    libs: join(CACHE, "protocol-clients-4.4.0"),
    messages: [
      ...apis.flatMap(({ request, response }) => [request, response]),
      ...Object.values<Message>(headers),
      ...records.embeddedMessages,
    ],
  };
}

function coordinatorJars(): Jars {
  const tables = [
    records.groupRecordByType,
    records.transactionRecordByType,
    records.shareRecordByType,
  ];
  return {
    pom: join(HERE, "coordinators-pom.xml"),
    libs: join(CACHE, "protocol-coordinators-4.3.1"),
    messages: tables.flatMap((table) => [...table.values()])
      .flatMap(({ key, value }) => [key, value]),
  };
}

/** Fetches Kafka's jars once; returns why they cannot be had, or null. */
export async function needOracle(): Promise<string | null> {
  if (Bun.which("mvn") === null || Bun.which("java") === null) return "needs Maven and a JDK 17";
  for (const { pom, libs } of [clientJars(), coordinatorJars()]) {
    if (existsSync(join(libs, ".complete"))) continue;
    mkdirSync(libs, { recursive: true });
    const finished = await run(
      ["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${libs}`],
      { timeoutMs: 600_000 },
    );
    if (finished.exitCode !== 0) {
      return `Kafka's jars could not be fetched: ${finished.stdout.trim().split("\n").at(-1)}`;
    }
    await Bun.write(join(libs, ".complete"), "");
  }
  return null;
}

/** What a run has counted. */
export interface OracleCounts {
  readonly messages: number;
  /** Pairs of a message and a version. */
  readonly versions: number;
  readonly samples: number;
  readonly bytes: number;
  /** What differed, in words; empty if all agreed. */
  readonly failures: readonly string[];
}

/** Runs the comparison with so many samples of each message and version. */
export async function compareWithKafka(seed: number, samples: number): Promise<OracleCounts> {
  const of = [
    await compareWithJars(clientJars(), seed, samples),
    await compareWithJars(coordinatorJars(), seed, samples),
  ];
  const sum = (count: (one: OracleCounts) => number) =>
    of.reduce((all, one) => all + count(one), 0);
  return {
    messages: sum((one) => one.messages),
    versions: sum((one) => one.versions),
    samples: sum((one) => one.samples),
    bytes: sum((one) => one.bytes),
    failures: of.flatMap((one) => one.failures),
  };
}

async function compareWithJars(jars: Jars, seed: number, samples: number): Promise<OracleCounts> {
  const messages = new Map(
    jars.messages.map((one) => [one.name, one]),
  );
  const child = Bun.spawn([
    "java",
    "-Xmx256m",
    "-cp",
    join(jars.libs, "*"),
    join(HERE, "Oracle.java"),
    String(seed),
    String(samples),
    ...messages.keys(),
  ], { stdout: "pipe", stderr: "pipe" });
  const [output, errors, exitCode] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const failures = errors.split("\n").filter((line) => line.startsWith("missing "));
  if (exitCode !== 0) failures.push(`the oracle ended with ${exitCode}: ${errors.slice(-2000)}`);
  return compareAll(output, messages, failures);
}

function compareAll(
  output: Uint8Array,
  messages: ReadonlyMap<string, Message>,
  failures: string[],
): OracleCounts {
  const seen = new Map([...messages.keys()].map((name) => [name, new Set<number>()]));
  let samples = 0;
  for (const { name, version, bytes } of samplesOf(output)) {
    samples++;
    seen.get(name)!.add(version);
    const failure = compareOne(messages.get(name)!, version, bytes);
    if (failure !== null) failures.push(failure);
  }
  for (const [name, message] of messages) {
    const { min, max } = parseVersions(message.versions);
    const missing = Array.from({ length: max - min + 1 }, (_, i) => min + i)
      .filter((version) => !seen.get(name)!.has(version));
    if (missing.length > 0) failures.push(`${name}: Kafka has no version ${missing.join(", ")}`);
  }
  const versions = [...seen.values()].reduce((sum, { size }) => sum + size, 0);
  return { messages: messages.size, versions, samples, bytes: output.length, failures };
}

function* samplesOf(output: Uint8Array) {
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength);
  const decoder = new TextDecoder();
  for (let p = 0; p < output.length;) {
    const nameBytes = view.getInt16(p);
    const name = decoder.decode(output.subarray(p + 2, p + 2 + nameBytes));
    p += 2 + nameBytes;
    const version = view.getInt16(p);
    const length = view.getInt32(p + 2);
    p += 6;
    yield { name, version, bytes: output.subarray(p, p + length) };
    p += length;
  }
}

function compareOne(message: Message, version: number, bytes: Uint8Array): string | null {
  const what = `${message.name} v${version} ${Buffer.from(bytes).toString("hex").slice(0, 400)}`;
  try {
    const value = decodeData(message, version, bytes);
    if (hasKnownTag(value)) return `${what}: a tag of Kafka's was decoded as an unknown one`;
    const again = joinChunks(encodeData(message, version, value));
    if (Buffer.compare(again, bytes) === 0) return null;
    return `${what}: encoded again as ${Buffer.from(again).toString("hex").slice(0, 400)}`;
  } catch (error) {
    return `${what}: ${String(error)}`;
  }
}

/** Whether a tag below those that the oracle makes up was not recognized, at any depth. */
function hasKnownTag(value: unknown): boolean {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false;
  if (Array.isArray(value)) return value.some(hasKnownTag);
  const { unknownTags, ...fields } = value as { unknownTags?: readonly UnknownTag[] };
  return (unknownTags ?? []).some(({ tag }) => tag <= MADE_UP_TAG_MIN) ||
    Object.values(fields).some(hasKnownTag);
}
