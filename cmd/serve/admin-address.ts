/** Reads `serve --admin`. */
import type { HostPort } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { parseNamedAddress } from "../../broker/listeners.ts";
import { DEFAULT_ADMIN } from "../../admin/server.ts";

/**
 * `off`, `host:port`, `:port` or `port`, also as the URL that clients of the admin API are given.
 * Throws an `OperatorError` (usage).
 */
export function parseAdminAddress(text: string | null): HostPort | "off" | "default" {
  if (text === null) return "default";
  if (text === "off") return "off";
  const bare = text.replace(/^http:\/\//, "").replace(/\/$/, "");
  if (/^\d+$/.test(bare) || bare.startsWith(":")) {
    const { address } = parseNamedAddress(bare, "--admin");
    return { host: DEFAULT_ADMIN.host, port: address.port };
  }
  if (!/:\d+$/.test(bare)) {
    throw new OperatorError(
      `--admin cannot be read: "${text}"`,
      "it is no address",
      "write host:port, a port alone, or off",
      2,
    );
  }
  return parseNamedAddress(bare, "--admin").address;
}
