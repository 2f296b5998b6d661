/** JSON objects whose fields are not known yet, in bodies and messages. */
import { Problem } from "../problem.ts";

/** Whether it is one. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The problem of a body. */
export function badBody(why: string): Problem {
  return new Problem(400, "bad request body", `the request body is refused: ${why}`);
}
