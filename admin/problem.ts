/** Errors of the admin API as problem details (RFC 9457). */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { OperatorError } from "../core/operator-error.ts";

/** What a problem may say beyond its words. */
export interface ProblemMore {
  /** Kafka's name of the error, `UNKNOWN_TOPIC_OR_PARTITION`. */
  readonly error?: string;
  /** What of the request is wrong, each with its place: `configs[0].name`, `?limit`. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  /** Header fields of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further ones of its body. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** What went wrong with a request: thrown by routes, answered by the app. */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly status: ContentfulStatusCode,
    /** What kind of problem it is, the same words each time. */
    readonly title: string,
    /** What, why, and what to do about it. */
    readonly detail: string,
    readonly more: ProblemMore = {},
  ) {
    super(detail);
  }

  /** An operator's error as an answer. */
  static of(error: OperatorError): Problem {
    return new Problem(error.exitCode === 2 ? 400 : 409, "refused", error.message);
  }

  /** What programs tell kinds of problems by: `/problems/not-found`. */
  get type(): string {
    return `/problems/${this.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
  }

  /** The same with further members of its body. */
  with(members: Readonly<Record<string, unknown>>): Problem {
    return new Problem(this.status, this.title, this.detail, { ...this.more, members });
  }

  /** The answer. */
  response(): Response {
    const { type, status, title, detail } = this;
    const { error, errors, headers, members } = this.more;
    return new Response(
      JSON.stringify({ type, title, status, detail, error, errors, ...members }, null, 2) + "\n",
      { status, headers: { "content-type": "application/problem+json", ...headers } },
    );
  }
}
