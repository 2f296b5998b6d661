/**
 * Server-Sent Events by `fetch`, which `EventSource` cannot do: with a method, a body and the id of
 * the last event, and as slowly as they are taken, so that the server notices.
 */

/** An event; without a name it is a `message`. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  /** The id in force: that of the event, else of one before. */
  readonly id: string;
}

/** The events of an answer, until it ends. */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  lastId = "",
): AsyncGenerator<ServerEvent> {
  let id = lastId;
  let event = "";
  let data: string[] = [];
  for await (const line of linesOf(body)) {
    if (line === "") {
      if (data.length > 0) yield { event: event || "message", data: data.join("\n"), id };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id") id = value;
  }
}

/** The lines of a body. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += decoder.decode(value, { stream: true });
      let start = 0;
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
        yield rest.slice(start, rest[end - 1] === "\r" ? end - 1 : end);
        start = end + 1;
      }
      rest = rest.slice(start);
    }
    if (rest !== "") yield rest;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
