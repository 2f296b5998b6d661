/** Who sends messages of syslog by TCP, on one connection for as long as it holds. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { freePort } from "../../../harness/free-ports.ts";
import { itemOf, textOf, valueItems } from "../system.ts";
import type { Item, SystemKind } from "../system.ts";

/** The item that the text of a message is; null: it is none. */
function messageItem(value: string): Item | null {
  const { message }: { readonly message?: unknown } = JSON.parse(value);
  return typeof message === "string" ? itemOf(message) : null;
}

/** A connection, once there is somebody who takes it. */
async function connected(port: number, isOver: () => boolean): Promise<Socket | null> {
  while (!isOver()) {
    const socket = connect(port, "127.0.0.1");
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (isThere) return socket.on("error", () => {});
    await Bun.sleep(50);
  }
  return null;
}

export const SYSLOG_SOURCE: SystemKind = {
  name: "syslog-source",
  need: () => Promise.resolve(null),
  async open() {
    const port = await freePort();
    let socket: Socket | null = null;
    let gone = Promise.resolve();
    let isOver = false;
    return {
      kind: "source",
      claim: "at-most-once",
      config: {
        "connector.class": "syslog-source",
        "syslog.listener": "TCP",
        "syslog.port": String(port),
      },
      otherConfig: { "batch.size": "7" },
      outage: null,
      setSlow: null,
      feed: async (items) => {
        if (socket === null || socket.destroyed || !socket.writable) {
          socket = await connected(port!, () => isOver);
          gone = new Promise((resolve) => void socket?.once("close", () => resolve()));
        }
        if (socket === null) return;
        const lines = items.map((item) => `<13>1 - kit kit - - - ${textOf(item)}\n`).join("");
        const sent = Promise.withResolvers<void>();
        socket.write(lines, () => sent.resolve());
        // What was on its way to somebody who is gone is lost.
        await Promise.race([sent.promise, gone]);
      },
      feedBad: null,
      itemsOf: valueItems(messageItem),
      close: () => {
        isOver = true;
        socket?.destroy();
        return Promise.resolve();
      },
    };
  },
};
