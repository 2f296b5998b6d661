/** A task for tests, and, where this file is the script of a worker, what serves it. */
import { assert } from "../assert.ts";
import type { OffloadMessage, OffloadTask } from "../io.ts";
import { serveOffload } from "./bun/offload.ts";

/** Adds up all bytes of its calls and turns their order round. 255 throws, 254 ends the thread. */
export const sumTask: OffloadTask<OffloadMessage, OffloadMessage & { readonly sum: number }> = {
  name: "sum",
  start() {
    let sum = 0;
    return ({ bytes }) => {
      assert(!bytes.includes(255), "255 is too much");
      if (bytes.includes(254)) process.exit(1);
      for (const byte of bytes) sum += byte;
      return { bytes: bytes.slice().reverse(), sum };
    };
  },
};

if (!Bun.isMainThread) serveOffload([sumTask]);
