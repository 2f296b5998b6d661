/** Errors of the admin API as problem details (RFC 9457). */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { OperatorError } from "../core/operator-error.ts";

/** What went wrong with a request: thrown by routes, answered by the app. */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly status: ContentfulStatusCode,
    /** What kind of problem it is, the same words each time. */
    readonly title: string,
    /** What, why, and what to do about it. */
    readonly detail: string,
  ) {
    super(detail);
  }

  /** An operator's error as an answer. */
  static of(error: OperatorError): Problem {
    return new Problem(error.exitCode === 2 ? 400 : 409, "refused", error.message);
  }

  response(): Response {
    const { status, title, detail } = this;
    return new Response(
      JSON.stringify({ type: "about:blank", title, status, detail }, null, 2) + "\n",
      { status, headers: { "content-type": "application/problem+json" } },
    );
  }
}
