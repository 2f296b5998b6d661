/** Options of commands that run connectors of users. */
import { Option } from "@commander-js/extra-typings";
import { OperatorError } from "../../../core/operator-error.ts";
import { wholeNumber } from "../../admin-command.ts";

const MIB = 1024 * 1024;
const THREADS_MAX = 256;
const MEMORY_BYTES_MIN = 16 * MIB;

/** `--plugins`. */
export function pluginsOption() {
  return new Option("--plugins <dir>", "connectors of your own: DIR/name.ts, packages in DIR");
}

/** `--threads`. */
export function threadsOption() {
  return new Option(
    "--threads <n>",
    "for tasks of built-in connectors; 0: one thread for everything",
  )
    .argParser(wholeNumber(0, THREADS_MAX)).default(2);
}

/** `--plugin-memory`, or what a command calls it. */
export function pluginMemoryOption<const F extends string>(flags: F) {
  return new Option(flags, "memory of each process of a connector, as 512m or 2g")
    .argParser(memory).default(512 * MIB, "512m");
}

function memory(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,6})(m|g)$/i.exec(text) ?? [];
  const bytes = Number(digits) * (unit.toLowerCase() === "g" ? 1024 * MIB : MIB);
  if (bytes >= MEMORY_BYTES_MIN) return bytes;
  throw new OperatorError(
    `"${text}" is no size of memory`,
    "",
    "write 512m or 2g, 16m at least",
    2,
  );
}
