/** Reads `serve --connect-url`. */
import { ConnectByUrl } from "../../admin/connect-link.ts";
import type { Clock } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";

/** Null: there are no workers of connectors. Throws an `OperatorError` that shows no password. */
export function connectLink(text: string | undefined, clock: Clock): ConnectByUrl | null {
  if (text === undefined || text.trim() === "") return null;
  return new ConnectByUrl(text.split(",").map((part) => parseWorkerUrl(part.trim())), clock);
}

function parseWorkerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isWeb = url !== null && ["http:", "https:"].includes(url.protocol);
  if (isWeb && canDecode(url.username) && canDecode(url.password)) return url;
  throw new OperatorError(
    `--connect-url cannot be read: "${text.replace(/\/\/.*@/, "//…@")}"`,
    "it is no address of a worker's REST API",
    "write http://host:port, as http://127.0.0.1:8083",
    2,
  );
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
