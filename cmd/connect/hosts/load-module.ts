/**
 * Loads a user's module in this process. `kstream/connect` is what this program has of it, whatever
 * stands in `node_modules` for editors: so both sides have the same classes.
 */
import { pathToFileURL } from "node:url";
import * as connect from "../../../connect/index.ts";
import * as testing from "../../../connect/testing/index.ts";
import { definitionOf } from "../../../connect/plugins/definition-shape.ts";
import type { ConnectorDefinition } from "../../../connect/connector.ts";

const OWN: Readonly<Record<string, object>> = {
  "kstream/connect": connect,
  "kstream/connect/testing": testing,
};

let isOffered = false;

function offerOwn(): void {
  if (isOffered) return;
  isOffered = true;
  void Bun.plugin({
    name: "kstream",
    setup(build) {
      for (const [name, exports] of Object.entries(OWN)) {
        build.module(name, () => ({ exports: { ...exports }, loader: "object" }));
      }
    },
  });
}

/** Throws what the module throws, and an `OperatorError` where it is no connector. */
export async function loadModule(path: string): Promise<ConnectorDefinition> {
  offerOwn();
  const loaded: { readonly default?: unknown } = await import(pathToFileURL(path).href);
  return definitionOf(loaded.default);
}
