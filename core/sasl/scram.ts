/**
 * SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677), as Kafka has it (KIP-84): no channel
 * binding, and names and passwords as they are, in UTF-8.
 *
 *     client  n,,n=USER,r=NONCE
 *     server  r=NONCE+MORE,s=SALT,i=ITERATIONS
 *     client  c=biws,r=NONCE+MORE,p=PROOF
 *     server  v=SIGNATURE   or   e=ERROR
 *
 * The server's signature is checked: whoever does not know the password cannot play the broker.
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { SaslError, type SaslExchange } from "./options.ts";

/** RFC 7677 and Kafka's clients refuse less. */
const ITERATIONS_MIN = 4096;
/** Kafka stores up to 16,384; a server that asks for many more wants to keep us busy. */
const ITERATIONS_MAX = 1_000_000;
/** `n,,` in base64: no channel binding. */
const CHANNEL_BINDING = "biws";

/** Begins an authentication with the hash and a nonce of printable characters without a comma. */
export function scramExchange(
  hash: "sha256" | "sha512",
  credentials: { readonly username: string; readonly password: string },
  nonce: string,
): SaslExchange {
  const name = credentials.username.replaceAll("=", "=3D").replaceAll(",", "=2C");
  const clientFirst = `n=${name},r=${nonce}`;
  let serverSignature: Buffer | null = null;
  let complete = false;
  const prove = (text: string): Uint8Array => {
    const { fullNonce, salt, iterations } = parseServerFirst(text, nonce);
    const salted = pbkdf2Sync(credentials.password, salt, iterations, hashBytes(hash), hash);
    const withoutProof = `c=${CHANNEL_BINDING},r=${fullNonce}`;
    const authMessage = `${clientFirst},${text},${withoutProof}`;
    const clientKey = hmac(hash, salted, "Client Key");
    const storedKey = createHash(hash).update(clientKey).digest();
    const signature = hmac(hash, storedKey, authMessage);
    const proof = clientKey.map((byte, at) => byte ^ signature[at]!);
    serverSignature = hmac(hash, hmac(hash, salted, "Server Key"), authMessage);
    return utf8(`${withoutProof},p=${Buffer.from(proof).toString("base64")}`);
  };
  const verify = (text: string, expected: Buffer): void => {
    const fields = fieldsOf(text);
    const error = fields.get("e");
    // Kafka answers with an error code instead, but the RFC allows this.
    if (error !== undefined) throw new SaslError(`the broker says ${error.slice(0, 100)}`);
    const given = Buffer.from(fields.get("v") ?? "", "base64");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new SaslError("the broker could not prove that it knows the password");
    }
    complete = true;
  };
  return {
    first: () => utf8(`n,,${clientFirst}`),
    next(message) {
      const text = new TextDecoder().decode(message);
      if (serverSignature === null) return prove(text);
      verify(text, serverSignature);
      return null;
    },
    get complete() {
      return complete;
    },
  };
}

function parseServerFirst(
  text: string,
  nonce: string,
): { fullNonce: string; salt: Buffer; iterations: number } {
  const fields = fieldsOf(text);
  if (fields.has("m")) throw new SaslError("the broker wants an extension of SCRAM");
  const fullNonce = fields.get("r") ?? "";
  const salt = Buffer.from(fields.get("s") ?? "", "base64");
  const iterations = fields.get("i") ?? "";
  if (!fullNonce.startsWith(nonce) || fullNonce.length === nonce.length) {
    throw new SaslError("the broker answers to another client's message");
  }
  if (salt.length === 0 || !/^\d{1,9}$/.test(iterations)) {
    throw new SaslError("the broker's message is none of SCRAM");
  }
  const count = Number(iterations);
  if (count < ITERATIONS_MIN || count > ITERATIONS_MAX) {
    throw new SaslError(
      `the broker wants ${count} iterations, outside of ${ITERATIONS_MIN} to ${ITERATIONS_MAX}`,
    );
  }
  return { fullNonce, salt, iterations: count };
}

/** `a=1,b=2`: values may have `=`, never a comma. */
function fieldsOf(text: string): Map<string, string> {
  return new Map(text.split(",").map((field) => [field.slice(0, 1), field.slice(2)]));
}

function hmac(hash: string, key: Uint8Array, text: string): Buffer {
  return createHmac(hash, key).update(text).digest();
}

function hashBytes(hash: "sha256" | "sha512"): number {
  return hash === "sha256" ? 32 : 64;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
