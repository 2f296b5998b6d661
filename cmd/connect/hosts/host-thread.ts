/** The script of a worker's threads: a host, which tasks of built-in connectors share. */
import { stackOf } from "../../../core/stack-of.ts";
import { serveWork } from "./host-work.ts";

const EXIT_FAILED = 1;

// Messages are texts of JSON; the last words before it dies are `{ lastWords }`.
const say = (message: unknown) => void globalThis.postMessage(message);
const served = serveWork({
  send: (message) => say(JSON.stringify(message)),
  exit: () => process.exit(EXIT_FAILED),
});
globalThis.addEventListener("message", (event: MessageEvent<string>) => {
  const message: unknown = JSON.parse(event.data);
  served.take(message);
});

const die = (error: unknown) => {
  say({ lastWords: served.hidden(stackOf(error)) });
  process.exit(EXIT_FAILED);
};
process.on("uncaughtException", die);
process.on("unhandledRejection", die);
