/** What a stream is that does not look like Kafka's protocol, for a log line that helps. */

/** What came instead of requests. */
export interface BadStream {
  /** What came, in words. */
  readonly what: string;
  /** What the operator of the client should do. */
  readonly whatToDo: string;
}

/** The first bytes of an HTTP request, as the length that they would be. */
const HTTP_VERBS: ReadonlyMap<number, string> = new Map(
  ["GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PATC", "CONN", "TRAC", "PRI "].map((verb) => [
    (verb.charCodeAt(0) << 24) | (verb.charCodeAt(1) << 16) | (verb.charCodeAt(2) << 8) |
    verb.charCodeAt(3),
    verb.trim(),
  ]),
);

/** Names a stream by the frame length that was refused: what its first four bytes would be. */
export function describeBadStream(length: number, frameBytesMax: number): BadStream {
  const verb = HTTP_VERBS.get(length);
  if (verb !== undefined) {
    return {
      what: "an HTTP request",
      whatToDo: "this port speaks Kafka's protocol; send HTTP to the admin server",
    };
  }
  // A TLS record: type handshake (0x16), major version 3.
  if (length >>> 16 === 0x1603) {
    return {
      what: "a TLS handshake",
      whatToDo: "this listener is plaintext; set the client's security.protocol to PLAINTEXT",
    };
  }
  if (length < 0) {
    return {
      what: `a frame of negative length (${length})`,
      whatToDo: "check that the client speaks Kafka's protocol",
    };
  }
  return {
    what: `a frame of ${length} bytes, more than socket.request.max.bytes=${frameBytesMax}`,
    whatToDo: "check that the client speaks Kafka's protocol, or send smaller requests",
  };
}
