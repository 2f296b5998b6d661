/** Who is let in by name and password (HTTP Basic, RFC 7617). */
import { createHash, timingSafeEqual } from "node:crypto";
import { OperatorError } from "../../core/operator-error.ts";

/** See the head of the file. Passwords are kept as hashes. */
export class BasicUsers {
  readonly #hashes: readonly Uint8Array[];

  private constructor(credentials: readonly string[]) {
    this.#hashes = credentials.map(hash);
  }

  /** From lines `NAME:PASSWORD`; empty ones and those with `#` in front do not count. */
  static parse(text: string, path: string): BasicUsers {
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
    const wrong = lines.findIndex((line) => line.indexOf(":") < 1);
    if (wrong < 0 && lines.length > 0) return new BasicUsers(lines);
    throw new OperatorError(
      `no users in ${path}`,
      lines.length === 0 ? "it is empty" : `user ${wrong + 1} has no password`,
      "write a line NAME:PASSWORD for each",
      2,
    );
  }

  /** Whether the Authorization header names one of them. Takes as long whoever asks. */
  knows(header: string | null): boolean {
    const [, encoded = ""] = /^basic ([a-z0-9+/]+=*)$/i.exec((header ?? "").slice(0, 2048)) ?? [];
    const given = hash(new TextDecoder().decode(decoded(encoded)));
    let isKnown = false;
    for (const known of this.#hashes) if (timingSafeEqual(known, given)) isKnown = true;
    return isKnown;
  }
}

function decoded(encoded: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(encoded);
  } catch {
    return new Uint8Array(0);
  }
}

function hash(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
