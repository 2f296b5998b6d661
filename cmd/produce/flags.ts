/** The flags of `produce` that say how the input is to be read. */
import { OperatorError } from "../../core/operator-error.ts";
import { unescape } from "../escapes.ts";
import type { OnError } from "./bad-records.ts";
import { CsvFraming } from "../../core/text/csv.ts";
import {
  delimited,
  type FrameName,
  type Framing,
  lengthPrefixed,
} from "../../core/text/framing.ts";
import type { ParserSettings, PayloadKind } from "../../core/text/parse-record.ts";
import { RECORD_BYTES_MAX } from "../../core/text/record-blocks.ts";

/** As commander gives them. */
export interface InputFlags {
  readonly format: "lines" | "json" | "csv";
  readonly delim?: string | undefined;
  readonly null?: boolean | undefined;
  readonly frame?: FrameName | undefined;
  readonly keyDelimiter?: string | undefined;
  readonly key: PayloadKind;
  readonly value: PayloadKind;
  readonly nullMarker?: string | undefined;
  readonly keyColumn?: string | undefined;
  readonly valueColumn?: string | undefined;
  readonly separator?: string | undefined;
  readonly onError: string;
  readonly resume?: string | undefined;
  readonly fromStart?: boolean | undefined;
  readonly follow?: boolean | undefined;
  readonly acks: string;
}

/** Longest length that a prefix may announce: with it, the record still fits into the buffer. */
const FRAMED_BYTES_MAX = RECORD_BYTES_MAX - 32;

/** How the bytes of the input are read. Throws `OperatorError` (usage). */
export function inputSettings(flags: InputFlags): ParserSettings & { readonly framing: Framing } {
  const { format } = flags;
  if (format !== "lines") {
    refuse(flags.keyDelimiter !== undefined, "--key-delimiter", `--format ${format}`);
  }
  if (format !== "csv") {
    refuse(flags.keyColumn !== undefined, "--key-column", `--format ${format}`, CSV_HINT);
    refuse(flags.valueColumn !== undefined, "--value-column", `--format ${format}`, CSV_HINT);
    refuse(flags.separator !== undefined, "--separator", `--format ${format}`, CSV_HINT);
  }
  if (format === "json") {
    refuse(flags.key !== "string", "--key", "--format json", JSON_HINT);
    refuse(flags.value !== "string", "--value", "--format json", JSON_HINT);
    refuse(flags.nullMarker !== undefined, "--null-marker", "--format json", JSON_HINT);
  }
  const separator = unescape(flags.separator ?? ",");
  if (!/^[\0-\x7f]$/.test(separator) || separator === '"' || separator === "\n") {
    throw usage(`"${flags.separator}" is no separator of columns`, "write one character");
  }
  if (flags.valueColumn === undefined && format === "csv") {
    refuse(flags.value !== "string", "--value", "whole rows", "name one with --value-column");
  }
  return {
    ...{ format, key: flags.key, value: flags.value },
    nullMarker: flags.nullMarker ?? null,
    keyDelimiter: flags.keyDelimiter === undefined
      ? null
      : bytesOf(flags.keyDelimiter, "the key delimiter"),
    csv: {
      separator,
      keyColumn: flags.keyColumn ?? null,
      valueColumn: flags.valueColumn ?? null,
    },
    framing: framingOf(flags, separator),
  };
}

const CSV_HINT = "it is for --format csv";
const JSON_HINT = "an envelope says it by itself";

function framingOf(flags: InputFlags, separator: string): Framing {
  const { delim, null: nul, frame, format } = flags;
  const given = [
    ...(delim === undefined ? [] : ["--delim"]),
    ...(nul ? ["--null"] : []),
    ...(frame === undefined ? [] : ["--frame"]),
  ];
  if (given.length > 1) throw usage(`${given.join(" and ")} contradict each other`, "give one");
  if (format === "csv") {
    refuse(given.length > 0, given[0] ?? "", "--format csv", "rows end at line ends");
    return new CsvFraming(separator.charCodeAt(0));
  }
  if (frame !== undefined) return lengthPrefixed(frame, FRAMED_BYTES_MAX);
  return delimited(nul ? new Uint8Array(1) : bytesOf(delim ?? "\n", "the delimiter"));
}

/** `stop`, `skip` or `dlq:TOPIC`. Throws `OperatorError` (usage). */
export function onErrorOf({ onError }: InputFlags, topic: string): OnError {
  if (onError === "stop" || onError === "skip") return { kind: onError };
  const deadLetters = /^dlq:(.+)$/.exec(onError)?.[1];
  if (deadLetters === undefined) {
    throw usage(`--on-error ${onError} means nothing`, "write stop, skip or dlq:TOPIC");
  }
  if (deadLetters === topic) throw usage("dead letters need another topic", "write dlq:TOPIC");
  return { kind: "dlq", topic: deadLetters };
}

/** Throws `OperatorError` (usage) where resuming or following cannot be. */
export function checkResume(flags: InputFlags, names: readonly string[]): void {
  const { resume, follow, fromStart } = flags;
  if (resume === "") throw usage("the name of --resume is empty", "");
  if (resume !== undefined) {
    if (names.length > 1) throw usage("--resume is for one input", "give each a name of its own");
    refuse(flags.acks !== "all", `--acks ${flags.acks}`, "--resume");
  }
  if (fromStart && resume === undefined) throw usage("--from-start is for --resume", "");
  if (!follow) return;
  if (names.length !== 1 || names[0] === "-") throw usage("--follow is for one file", "name it");
}

function bytesOf(text: string, what: string): Uint8Array {
  const bytes = new TextEncoder().encode(unescape(text));
  if (bytes.length === 0) throw usage(`${what} is empty`, "");
  return bytes;
}

function refuse(isGiven: boolean, flag: string, beside: string, hint = ""): void {
  if (isGiven) throw usage(`${flag} does not go with ${beside}`, hint);
}

function usage(what: string, whatToDo: string): OperatorError {
  return new OperatorError(what, "", whatToDo, 2);
}
