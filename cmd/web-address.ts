/** Addresses of HTTP servers as options have them, with name and password for them. */
import { OperatorError } from "../core/operator-error.ts";

/** Where to ask, and what to say of oneself. */
export interface WebAddress {
  /** Scheme, host, port, and the path that all others are below: it ends in a slash. */
  readonly base: URL;
  /** `authorization`, where the address has a name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What an option's address is of. */
export interface AddressKind {
  /** The option: `--admin`. */
  readonly flag: string;
  /** What is asked there: "an admin API". */
  readonly what: string;
  readonly example: string;
}

/** What stands for name and password in a message. */
const SECRETS = "//…@";

/** `http(s)://[user:password@]host:port`; without a scheme it is http. Throws `OperatorError` (usage). */
export function webAddress(text: string, kind: AddressKind): WebAddress {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  if (url !== null && isHttp && url.hostname !== "" && text !== "off") {
    const base = new URL(`${url.origin}${url.pathname.replace(/\/*$/, "/")}`);
    return { base, headers: basicAuth(url, kind) };
  }
  throw unreadable(
    kind,
    text.replace(/\/\/[^@]*@/, SECRETS),
    `it is no address of ${kind.what}`,
    `write it as ${kind.example}`,
  );
}

/** A path of what is at the address. */
export function urlBelow({ base }: WebAddress, path: string): URL {
  return new URL(`.${path}`, base);
}

/** The JSON of an answer; undefined: it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreadable(kind: AddressKind, shown: string, why: string, hint: string): OperatorError {
  return new OperatorError(`${kind.flag} cannot be read: "${shown}"`, why, hint, 2);
}

/** Name and password of the URL, which are no part of what is asked. */
function basicAuth(url: URL, kind: AddressKind): Record<string, string> {
  const { username, password, protocol, host } = url;
  if (username === "") return {};
  const decoded = (part: string, what: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw unreadable(
        kind,
        `${protocol}${SECRETS}${host}`,
        `the ${what} has a % that begins no escape of UTF-8`,
        "write % as %25, and other special characters as their escapes",
      );
    }
  };
  const text = `${decoded(username, "user name")}:${decoded(password, "password")}`;
  return { authorization: `Basic ${Buffer.from(text).toString("base64")}` };
}
