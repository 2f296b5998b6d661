/**
 * The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) for one user, as a pure state machine; the
 * messages are in `scram.ts`. The user may have several passwords, of which each lets in: so all
 * that share them can change to another one after the other. The server never sees a password: it
 * compares what the client could only have made with one.
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";

const HASH = "sha256";
const HASH_BYTES = 32;
/** RFC 7677 and Kafka's clients refuse less; more costs each connection time, and secrets are long. */
const ITERATIONS = 4096;
/** No message of a client that means well is longer. */
const MESSAGE_BYTES_MAX = 2048;
const CLIENT_FIRST = /^n,(?:a=[^,]*)?,n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?$/;
const CLIENT_FINAL = /^(c=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)),p=([A-Za-z0-9+/]+=*)$/;

/** What a server keeps of a password. */
interface Verifier {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** A user and what the server keeps of its passwords. */
export interface ScramUser {
  readonly name: string;
  readonly salt: Uint8Array;
  readonly verifiers: readonly Verifier[];
}

/** What a server keeps of a user; takes some milliseconds for each password. */
export function scramUser(
  name: string,
  passwords: readonly string[],
  salt: Uint8Array,
): ScramUser {
  const verifiers = passwords.map((password) => {
    const salted = pbkdf2Sync(password, salt, ITERATIONS, HASH_BYTES, HASH);
    const clientKey = hmac(salted, "Client Key");
    return {
      storedKey: createHash(HASH).update(clientKey).digest(),
      serverKey: hmac(salted, "Server Key"),
    };
  });
  return { name, salt, verifiers };
}

/** What comes of a message: the answer to it, and whether the client is let in with that; or no. */
export type ScramStep =
  | { readonly kind: "answer"; readonly message: Uint8Array; readonly isDone: boolean }
  | { readonly kind: "refused" };

const REFUSED: ScramStep = { kind: "refused" };

/** One client's attempt: `step` is called with its first message, then with its last. */
export class ScramServer {
  #authMessage: string | null = null;
  #nonce = "";
  #isOver = false;

  /** `nonce`: fresh printable characters without a comma, for this attempt alone. */
  constructor(private readonly user: ScramUser, private readonly nonce: string) {}

  /** Never throws, whatever the bytes are. After a refusal everything is refused. */
  step(message: Uint8Array): ScramStep {
    const isAbsurd = this.#isOver || message.length > MESSAGE_BYTES_MAX;
    const text = isAbsurd ? "" : Buffer.from(message).toString("utf8");
    const step = this.#authMessage === null ? this.#first(text) : this.#last(text);
    if (step.kind === "refused" || step.isDone) this.#isOver = true;
    return step;
  }

  #first(text: string): ScramStep {
    const [, name = "", clientNonce = ""] = CLIENT_FIRST.exec(text) ?? [];
    if (name.replaceAll("=2C", ",").replaceAll("=3D", "=") !== this.user.name) return REFUSED;
    this.#nonce = clientNonce + this.nonce;
    const salt = Buffer.from(this.user.salt).toString("base64");
    const answer = `r=${this.#nonce},s=${salt},i=${ITERATIONS}`;
    this.#authMessage = `${text.slice(text.indexOf("n=", 2))},${answer}`;
    return { kind: "answer", message: utf8(answer), isDone: false };
  }

  #last(text: string): ScramStep {
    const [, withoutProof = "", binding = "", nonce = "", proof64 = ""] = CLIENT_FINAL.exec(text) ??
      [];
    const isOfThis = Buffer.from(binding, "base64").toString() === "n,," && nonce === this.#nonce;
    const proof = Buffer.from(proof64, "base64");
    if (!isOfThis || proof.length !== HASH_BYTES) return REFUSED;
    const authMessage = `${this.#authMessage},${withoutProof}`;
    for (const { storedKey, serverKey } of this.user.verifiers) {
      const signature = hmac(storedKey, authMessage);
      const clientKey = proof.map((byte, at) => byte ^ signature[at]!);
      if (!timingSafeEqual(createHash(HASH).update(clientKey).digest(), storedKey)) continue;
      const message = utf8(`v=${hmac(serverKey, authMessage).toString("base64")}`);
      return { kind: "answer", message, isDone: true };
    }
    return REFUSED;
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac(HASH, key).update(text).digest();
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
