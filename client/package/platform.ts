/** What the npm package gives its clients unless told otherwise: the runtime that it is loaded in. */
import type { Codecs } from "../../core/compression/codec.ts";
import type { ClientIo } from "../options.ts";

/** A runtime as clients see it. */
export interface Platform {
  readonly io: ClientIo;
  readonly codecs: Codecs;
}

let current: Platform | null = null;

/** Called once by the entry of the package for the runtime. */
export function usePlatform(platform: Platform): void {
  current = platform;
}

/** Throws if no entry of the package was loaded. */
export function platform(): Platform {
  if (current === null) throw new TypeError("import the client from its package");
  return current;
}
