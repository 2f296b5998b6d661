/** The token that members of an application ask for, in a file. */
import { readFileSync } from "node:fs";
import { OperatorError } from "../core/operator-error.ts";
import { reasonOf } from "./reason.ts";

/** What is in the file that `flag` names. Throws an `OperatorError` (usage). */
export function queryToken(path: string, flag: string): string {
  const token = textOf(path, flag).trim();
  if (/^[\x21-\x7e]{16,4096}$/.test(token)) return token;
  throw new OperatorError(
    `no token in ${path}`,
    "it is 16 to 4096 printable characters without spaces",
    "make one with: openssl rand -hex 32",
    2,
  );
}

function textOf(path: string, flag: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const whatToDo = `name a file with a token for ${flag}`;
    throw new OperatorError(`cannot read ${path}`, reasonOf(error), whatToDo, 2);
  }
}
