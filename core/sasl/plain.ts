/** PLAIN (RFC 4616): `[authzid] NUL user NUL password`, to which the server has nothing to say. */
import type { SaslExchange } from "./options.ts";

/** Begins an authentication. */
export function plainExchange(username: string, password: string): SaslExchange {
  return {
    first: () => new TextEncoder().encode(`\0${username}\0${password}`),
    next: () => null,
    complete: true,
  };
}
