/** Where `produce` reads from. */
import { read as readCallback } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { OperatorError } from "../../core/operator-error.ts";
import type { ReadInto } from "./line-blocks.ts";

const read = promisify(readCallback);
const STDIN = 0;

/** Standard input, until it ends. */
export function standardInput(): Promise<ReadInto> {
  return Promise.resolve(async (into, at) => {
    return (await read(STDIN, into, at, into.length - at, null)).bytesRead;
  });
}

/** A file. Throws `OperatorError`. */
export async function fileInput(path: string): Promise<ReadInto> {
  try {
    const file = await open(path, "r");
    return async (into, at) => {
      const { bytesRead } = await file.read(into, at, into.length - at, null);
      if (bytesRead === 0) await file.close();
      return bytesRead;
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`cannot read ${path}`, why, "", 1);
  }
}
