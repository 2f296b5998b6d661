/**
 * Whom an HTTP server without passwords may answer. One on loopback can be reached by every web page
 * that somebody of this host looks at, and browsers send passwords that they know by themselves:
 *
 * - DNS rebinding: a page whose name was made to resolve to 127.0.0.1 sends its own name as Host.
 *   Only addresses, `localhost` and the name that the server was told to bind are taken.
 * - Cross-site requests: browsers name the page in Origin and Sec-Fetch-Site. Programs send neither.
 */
import { isIpAddress } from "./ip-address.ts";

/** Whether the Host header names this server. `ownName` is the host that it was told to bind. */
export function namesThisServer(request: Request, ownName: string): boolean {
  const header = request.headers.get("host") ?? "";
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(header);
  const host = (match?.[1] ?? match?.[2] ?? "").toLowerCase();
  if (host === "") return false;
  return host === "localhost" || host === ownName.toLowerCase() || isIpAddress(host);
}

/** What a browser says of the page that asks. */
export interface AskingPage {
  /** It is of another origin, as it says itself. */
  readonly isForeign: boolean;
  /** It is of another site, as the browser says. */
  readonly isOthers: boolean;
}

/** Of a program, which says nothing of the kind, neither is so. */
export function askingPage(request: Request): AskingPage {
  const host = request.headers.get("host") ?? "";
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  return {
    isForeign: origin !== null && origin !== `http://${host}` && origin !== `https://${host}`,
    isOthers: site === "cross-site" || site === "same-site",
  };
}
