import { createRequire } from "node:module";

/** An addon that may be there; whatever is wrong with it, there is another way. */
export function optional<T>(name: string): T | null {
  try {
    return createRequire(import.meta.url)(name) as T;
  } catch {
    return null;
  }
}
