import { BunDisk } from "../../core/io/bun/disk.ts";
import { DiskError } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { Output } from "../consume/output.ts";
import { writeStdout } from "../stdout.ts";
import { say } from "../terminal.ts";
import { readCheckpoint, readIndex, readSnapshot, readTransactionIndex } from "./files.ts";
import { readBatches, readDecoded } from "./logs.ts";

/** What can be decoded. */
export type InspectKind =
  | "segment"
  | "index"
  | "timeindex"
  | "txnindex"
  | "snapshot"
  | "group"
  | "transaction"
  | "share"
  | "metadata"
  | "checkpoint";

/** One line of output, or damage. */
export type Finding =
  | { readonly entry: Readonly<Record<string, unknown>> }
  | { readonly damage: string; readonly path: string; readonly position: number };

/** Options of `inspect`. */
export interface InspectOptions {
  readonly count?: number | undefined;
  readonly records?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Lines are written out when so much has gathered. */
const FLUSH_BYTES = 64 * 1024;

/** `kstream inspect`. */
export async function inspect(
  kind: InspectKind,
  path: string,
  options: InspectOptions,
): Promise<void> {
  const output = new Output(writeStdout);
  let [lines, damaged] = [0, 0];
  try {
    for await (const finding of findings(kind, path, options.records ?? false)) {
      if ("damage" in finding) {
        damaged++;
        say(`kstream: damage in ${finding.path} at byte ${finding.position}: ${finding.damage}`);
        continue;
      }
      if (lines++ === (options.count ?? Infinity)) break;
      output.text((options.json ? toJson(finding.entry) : toText(finding.entry)) + "\n");
      if (output.size > FLUSH_BYTES) await output.flush();
      if (!output.open) return;
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw new OperatorError(`cannot read ${path}`, error.message, "", 2);
  } finally {
    await output.flush();
  }
  if (damaged > 0) throw new OperatorError(`${path} is damaged`, "", "the rest is as shown");
}

function findings(
  kind: InspectKind,
  path: string,
  records: boolean,
): AsyncIterable<Finding> | Iterable<Finding> {
  const disk = new BunDisk();
  switch (kind) {
    case "segment":
      return readBatches(disk, path, records);
    case "group":
    case "transaction":
    case "share":
    case "metadata":
      return readDecoded(disk, path, kind);
    case "index":
    case "timeindex":
      return readIndex(disk, path, kind);
    case "txnindex":
      return readTransactionIndex(disk, path);
    case "snapshot":
      return readSnapshot(disk, path);
    case "checkpoint":
      return readCheckpoint(disk, path);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function toJson(entry: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(entry, (_name, value: unknown) => {
    if (typeof value === "bigint") return Number(value);
    if (!(value instanceof Uint8Array)) return value;
    try {
      return utf8.decode(value);
    } catch {
      return { base64: value.toBase64() };
    }
  });
}

/** `offset=42 key="k"`. */
function toText(entry: Readonly<Record<string, unknown>>): string {
  return Object.entries(entry)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) =>
      `${name}=${
        typeof value === "number" ? value : toJson({ v: value })
          .slice(5, -1)
      }`
    )
    .join(" ");
}
