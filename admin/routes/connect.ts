/**
 * `/v1/connect/…`: Connect's REST API of the workers that this server was told of, as it is: paths,
 * JSON and status codes are theirs. It is for the pages, and for tools that know one address alone.
 */
import type { Context } from "hono";
import type { AdminApp, AdminEnv } from "../app.ts";
import type { ConnectLink } from "../connect-link.ts";
import { Problem } from "../problem.ts";

const PREFIX = "/v1/connect";
/** What of an answer is for whoever asks. */
const PASSED_HEADERS = ["content-type"] as const;

export function connectRoutes(app: AdminApp, link: ConnectLink | null): void {
  const answer = async (context: Context<AdminEnv>) => {
    if (link === null) throw notThere();
    return await passOn(context, link);
  };
  app.all(PREFIX, answer);
  app.all(`${PREFIX}/*`, answer);
}

function notThere(): Problem {
  return new Problem(
    404,
    "no connectors",
    "this server knows no worker of connectors: start it with --connect or --connect-url",
  );
}

async function passOn({ req }: Context<AdminEnv>, link: ConnectLink): Promise<Response> {
  const { pathname, search } = new URL(req.url);
  const hasBody = req.method !== "GET" && req.method !== "HEAD";
  const body = hasBody ? await req.text() : "";
  let answer: Response;
  try {
    answer = await link.ask({
      method: req.method,
      path: (pathname.slice(PREFIX.length) || "/") + search,
      body: body === "" ? null : body,
      contentType: body === "" ? null : "application/json",
      accept: req.header("accept") ?? null,
      signal: req.raw.signal,
    });
  } catch {
    const detail = "no worker of connectors answers: is it running where --connect-url says?";
    throw new Problem(502, "no worker", detail);
  }
  if (answer.status === 401) {
    // The browser would ask who looks for a password that is this server's.
    throw new Problem(
      502,
      "refused by the worker",
      "the worker does not know --connect-url's user",
    );
  }
  const headers = PASSED_HEADERS.flatMap((name) => {
    const value = answer.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  const location = locationHere(answer.headers.get("location"));
  const isEmpty = answer.status === 204 || answer.headers.get("content-length") === "0";
  return new Response(isEmpty ? null : answer.body, {
    status: answer.status,
    headers: { ...Object.fromEntries(headers), ...(location !== null && { location }) },
  });
}

/** What is there is here below the prefix. */
function locationHere(location: string | null): string | null {
  return location !== null && URL.canParse(location)
    ? `${PREFIX}${new URL(location).pathname}`
    : null;
}
