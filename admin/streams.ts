/** Which requests stream, so that the bounds of all others are not theirs. */

const STREAMS = [
  /^\/v1\/topics\/[^/]+\/records(?:\/|$)/,
  /^\/kafka\/v3\/clusters\/[^/]+\/topics\/[^/]+\/records$/,
];

const STREAMED_ANSWER = /^\/v1\/topics\/[^/]+\/search$/;
const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** A body that is not streamed may have so much. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** Whether the body of such a request may have any length, and any type. */
export function streamsBody(method: string, path: string): boolean {
  return (method === "POST" || method === "PUT") && STREAMS.some((each) => each.test(path));
}

/** Whether the same request again may get the same answer again: what streams is not kept. */
export function takesIdempotencyKey(method: string, path: string): boolean {
  if (SAFE_METHODS.includes(method)) return false;
  return !streamsBody(method, path) && !STREAMED_ANSWER.test(path);
}

/** Whether the method changes nothing. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.includes(method);
}
