/** Loads a user's connector in this process. */
import { pathToFileURL } from "node:url";
import { definitionOf } from "../../../connect/plugins/definition-shape.ts";
import type { ConnectorDefinition } from "../../../connect/connector.ts";
import { offerOwnModules } from "../../own-modules.ts";

/** Throws what the module throws, and an `OperatorError` where it is no connector. */
export async function loadModule(path: string): Promise<ConnectorDefinition> {
  offerOwnModules();
  const loaded: { readonly default?: unknown } = await import(pathToFileURL(path).href);
  return definitionOf(loaded.default);
}
