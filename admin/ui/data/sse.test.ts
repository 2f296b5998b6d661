import { expect, test } from "bun:test";
import { eventsOf, type ServerEvent } from "./sse.ts";

/** A body in pieces of so many bytes. */
function bodyOf(text: string, size: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
      controller.close();
    },
  });
}

async function read(text: string, size: number): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of eventsOf(bodyOf(text, size), "0:1")) events.push(event);
  return events;
}

const TEXT = ": hello\n\ndata: früh\n\nid: 0:2\nevent: record\ndata: {}\ndata: x\n\n" +
  "data: crlf\r\n\r\ndata: never finished";

test("events are the same however the body comes in pieces", async () => {
  const events = [
    { event: "message", data: "früh", id: "0:1" },
    { event: "record", data: "{}\nx", id: "0:2" },
    { event: "message", data: "crlf", id: "0:2" },
  ];
  for (const size of [1, 2, 3, 7, 1000]) expect(await read(TEXT, size)).toEqual(events);
});
