/**
 * OAUTHBEARER (RFC 7628; extensions KIP-342):
 *
 *     n,,^Aauth=Bearer TOKEN^A[name=value^A…]^A
 *
 * Where the server refuses the token, it says why in JSON and waits for a single ^A before it fails.
 */
import { SaslError, type SaslExchange } from "./options.ts";

const SEPARATOR = "\x01";

/** Begins an authentication. Throws `SaslError` on a token or extensions that cannot be sent. */
export function oauthBearerExchange(
  token: string,
  extensions: Readonly<Record<string, string>> = {},
): SaslExchange {
  // RFC 6750, section 2.1. Anything else could end the field and begin another one.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) throw new SaslError("that is no bearer token");
  let fields = "";
  for (const [name, value] of Object.entries(extensions)) {
    if (!/^[A-Za-z]+$/.test(name) || name === "auth" || !/^[\x20-\x7e\t\r\n]*$/.test(value)) {
      throw new SaslError(`the SASL extension "${name}" cannot be sent`);
    }
    fields += `${name}=${value}${SEPARATOR}`;
  }
  const message = `n,,${SEPARATOR}auth=Bearer ${token}${SEPARATOR}${fields}${SEPARATOR}`;
  return {
    first: () => new TextEncoder().encode(message),
    next: (answer) => answer.length === 0 ? null : new TextEncoder().encode(SEPARATOR),
    complete: true,
  };
}
