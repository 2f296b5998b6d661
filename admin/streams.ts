/** Which requests stream, so that the bounds of all others are not theirs. */

const STREAMS = [
  /^\/v1\/topics\/[^/]+\/records(?:\/|$)/,
  /^\/kafka\/v3\/clusters\/[^/]+\/topics\/[^/]+\/records$/,
];

/** A body that is not streamed may have so much. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** Whether the body of such a request may have any length, and any type. */
export function streamsBody(method: string, path: string): boolean {
  return (method === "POST" || method === "PUT") && STREAMS.some((each) => each.test(path));
}
