import { createReadStream } from "node:fs";
import { OperatorError } from "../../core/operator-error.ts";
import { reasonOf } from "../reason.ts";

const FILE_BYTES_MAX = 64 << 20;

/** A whole file as text, or standard input for "-". Throws `OperatorError`. */
export async function readSmallFile(path: string): Promise<string> {
  const input = path === "-" ? process.stdin : createReadStream(path);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of input) {
      const part = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
      chunks.push(part);
      bytes += part.length;
      if (bytes > FILE_BYTES_MAX) throw new OperatorError(`${path} is too large`, "", "split it");
    }
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    const why = reasonOf(error);
    throw new OperatorError(`cannot read ${path}`, why, "", 2);
  }
  return Buffer.concat(chunks).toString("utf8");
}
