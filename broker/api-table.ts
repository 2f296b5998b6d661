/**
 * The APIs that a broker serves. What is not in the table is neither answered nor listed by
 * ApiVersions; a key that is registered twice is a bug and stops the start.
 */
import { assert } from "../core/assert.ts";
import type { Api } from "../core/protocol/schema.ts";
import type { AnyHandler } from "./handler.ts";

/** One served API. */
export interface ServedApi {
  readonly handler: AnyHandler;
  /** Versions that are answered. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /** First version that ApiVersions lists. */
  readonly listedMinVersion: number;
}

/** The served APIs by key, in the order of the keys. */
export class ApiTable implements Iterable<ServedApi> {
  readonly #served: readonly ServedApi[];
  readonly #byKey = new Map<number, ServedApi>();
  /** The definitions of the served APIs by key, for reading request headers. */
  readonly definitions: ReadonlyMap<number, Api>;

  constructor(handlers: readonly AnyHandler[]) {
    const sorted = handlers.toSorted((a, b) => a.api.key - b.api.key);
    this.#served = sorted.map((handler) => {
      const minVersion = handler.minVersion ?? handler.api.minVersion;
      const maxVersion = handler.maxVersion ?? handler.api.maxVersion;
      assert(
        minVersion >= handler.api.minVersion && maxVersion <= handler.api.maxVersion,
        `${handler.api.name} serves versions that are defined`,
      );
      const served = {
        handler,
        minVersion,
        maxVersion,
        listedMinVersion: handler.listedMinVersion ?? minVersion,
      };
      assert(!this.#byKey.has(handler.api.key), `${handler.api.name} is registered once`);
      this.#byKey.set(handler.api.key, served);
      return served;
    });
    this.definitions = new Map(handlers.map(({ api }) => [api.key, api]));
  }

  /** The API of a key, or undefined if it is not served. */
  get(apiKey: number): ServedApi | undefined {
    return this.#byKey.get(apiKey);
  }

  [Symbol.iterator](): Iterator<ServedApi> {
    return this.#served[Symbol.iterator]();
  }
}
