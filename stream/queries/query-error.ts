/** A query that cannot be answered: the status, and why in one line. */
export class QueryError extends Error {
  override readonly name = "QueryError";

  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 421 | 500 | 503,
    message: string,
    /** More for programs, beside `error`. */
    readonly facts: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}
