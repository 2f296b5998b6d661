/** Reads the JSON body of a request; each reader throws a `Problem` that names the field. */
import type { Context } from "hono";
import { Problem } from "./problem.ts";

/** An object of a body, whose fields are not known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The body, which has to be an object; with no other fields than `known`, where that is given. */
export async function jsonBody(context: Context, known?: readonly string[]): Promise<JsonObject> {
  let body: unknown;
  try {
    body = JSON.parse(await context.req.text());
  } catch (error) {
    throw badBody(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(body)) throw badBody("it is no JSON object");
  if (known === undefined) return body;
  const unknown = Object.keys(body).find((name) => !known.includes(name));
  if (unknown === undefined) return body;
  throw badBody(`"${unknown.slice(0, 100)}" is not known; known are ${known.join(", ")}`);
}

/** The problem of a body. */
export function badBody(why: string): Problem {
  return new Problem(400, "bad request body", `the request body is refused: ${why}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
