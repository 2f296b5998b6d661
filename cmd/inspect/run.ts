import { BunDisk } from "../../core/io/bun/disk.ts";
import { DiskError } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { Output } from "../../core/text/output.ts";
import { reasonOf } from "../reason.ts";
import { writeStdout } from "../stdout.ts";
import { say } from "../terminal.ts";
import {
  readCheckpoint,
  readIndex,
  readKeyIndex,
  readSnapshot,
  readTransactionIndex,
} from "./files.ts";
import { readBatches, readDecoded } from "./logs.ts";

declare global {
  /** Of ES2026, as Bun has it. */
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

/** What can be decoded. */
export type InspectKind =
  | "segment"
  | "index"
  | "timeindex"
  | "txnindex"
  | "keyindex"
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

/** What files of these names are. */
const KIND_BY_SUFFIX: Readonly<Record<string, readonly InspectKind[]>> = {
  ".log": ["segment", "group", "transaction", "share", "metadata"],
  ".timeindex": ["timeindex"],
  ".txnindex": ["txnindex"],
  ".keyindex": ["keyindex"],
  ".index": ["index"],
  ".snapshot": ["snapshot"],
  "-checkpoint": ["checkpoint"],
  ".checkpoint": ["metadata", "segment"],
};
/** How much damage is told of by its place. */
const DAMAGE_PRINTED_MAX = 10;
/** Lines are written out when so much has gathered. */
const FLUSH_BYTES = 64 * 1024;

/** `kstream inspect`. */
export async function inspect(
  kind: InspectKind,
  path: string,
  options: InspectOptions,
): Promise<void> {
  refuseOtherKind(kind, path);
  const output = new Output(writeStdout);
  let [lines, damaged, strange] = [0, 0, 0];
  try {
    for await (const finding of findings(kind, path, options.records ?? false)) {
      if ("damage" in finding) {
        damaged++;
        const { path: where, position, damage } = finding;
        if (damaged <= DAMAGE_PRINTED_MAX) {
          say(`kstream: damage in ${where} at byte ${position}: ${damage}`);
        }
        if (damaged === DAMAGE_PRINTED_MAX) say("kstream: more of it is only counted");
        continue;
      }
      if (lines++ === (options.count ?? Infinity)) break;
      if ("error" in finding.entry) strange++;
      output.text((options.json ? toJson(finding.entry) : toText(finding.entry)) + "\n");
      if (output.size > FLUSH_BYTES) await output.flush();
      if (!output.open) return;
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw new OperatorError(`cannot read ${path}`, reasonOf(error), "", 2);
  } finally {
    await output.flush();
  }
  if (damaged > 0) {
    const places = damaged > 1 ? ` in ${damaged} places` : "";
    throw new OperatorError(`${path} is damaged${places}`, "", "the rest is as shown");
  }
  if (strange === 0) return;
  const what = `${strange} of ${lines} records do not decode as kind "${kind}"`;
  throw new OperatorError(what, "", 'they are shown with an "error"');
}

/** A file of another kind would only decode to rubbish. */
function refuseOtherKind(kind: InspectKind, path: string): void {
  const name = Object.keys(KIND_BY_SUFFIX).find((suffix) => path.endsWith(suffix));
  const kinds = name === undefined ? [kind] : KIND_BY_SUFFIX[name] ?? [];
  if (kinds.includes(kind)) return;
  const what = `${path} is nothing for "${kind}"`;
  throw new OperatorError(what, "", `try: kstream inspect ${kinds[0]} ${path}`, 2);
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
    case "keyindex":
      return readKeyIndex(disk, path, records);
    case "snapshot":
      return readSnapshot(disk, path);
    case "checkpoint":
      return readCheckpoint(disk, path);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function toJson(entry: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(entry, (_name, value: unknown) => {
    // All digits: hashes and ids are larger than numbers of JavaScript can be.
    if (typeof value === "bigint") return JSON.rawJSON(String(value));
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
