/**
 * Who asks the admin server, where it lets in only whom it knows: users of the cluster by name and
 * password (HTTP Basic, RFC 7617), checked against their SCRAM credentials (KIP-554), which hold no
 * password. What a user may do then is for the authorizer, as for clients of Kafka's protocol.
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Principal } from "../broker/authorizer.ts";
import type { MetadataImage, ScramCredential } from "../cluster/metadata-image.ts";
import { type Clock, sleep } from "../core/io.ts";
import { Problem } from "./problem.ts";

const derive = promisify(pbkdf2);

/** SCRAM makes each check cost milliseconds; within this time the same header is not checked again. */
const KNOWN_MS = 60_000;
/** Headers that are known at once. */
const KNOWN_MAX = 1000;
/** Checks at once; who comes then is to come again, so that guessing cannot keep the broker busy. */
const CHECKS_MAX = 4;
/** How long a wrong password waits for its answer. */
const REFUSED_MS = 200;
const HEADER_CHARS_MAX = 2048;
/** What is compared with where there is no such user, so that the time does not tell. */
const NOBODY: Omit<ScramCredential, "user"> = {
  mechanism: "SCRAM-SHA-256",
  salt: Buffer.alloc(16).toString("base64"),
  storedKey: Buffer.alloc(32).toString("base64"),
  serverKey: Buffer.alloc(32).toString("base64"),
  iterations: 4096,
};

interface Known {
  readonly name: string;
  /** What the password was checked against: another one makes it unknown. */
  readonly storedKey: string;
  readonly untilMs: number;
}

/** See the head of the file. */
export class Authentication {
  readonly #known = new Map<string, Known>();
  #checks = 0;

  constructor(
    private readonly clock: Clock,
    private readonly image: () => MetadataImage,
  ) {}

  /** Whose request it is, by its Authorization header, or why it is refused. */
  async check(header: string | null): Promise<Principal | Problem> {
    const given = header === null ? null : parseBasic(header);
    if (header === null || given === null) return unauthorized("this server asks who you are");
    const key = createHash("sha256").update(header).digest("base64");
    const known = this.#known.get(key);
    if (known !== undefined && this.#holds(known)) return { type: "User", name: known.name };
    if (this.#checks >= CHECKS_MAX) {
      return new Problem(
        429,
        "too many logins",
        "others are being checked: come again in a second",
      );
    }
    this.#checks++;
    try {
      return await this.#check(key, given);
    } finally {
      this.#checks--;
    }
  }

  async #check(key: string, { name, password }: Basic): Promise<Principal | Problem> {
    const credentials = credentialsOf(this.image(), name);
    for (const credential of credentials.length === 0 ? [NOBODY] : credentials) {
      const isRight = await isPassword(password, credential);
      if (!isRight || credentials.length === 0) continue;
      this.#remember(key, {
        ...{ name, storedKey: credential.storedKey },
        untilMs: this.clock.monotonicMs() + KNOWN_MS,
      });
      return { type: "User", name };
    }
    await sleep(this.clock, REFUSED_MS);
    return unauthorized("no such user, or another password");
  }

  #holds({ name, storedKey, untilMs }: Known): boolean {
    return untilMs > this.clock.monotonicMs() &&
      credentialsOf(this.image(), name).some((credential) => credential.storedKey === storedKey);
  }

  #remember(key: string, known: Known): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
  }
}

interface Basic {
  readonly name: string;
  readonly password: string;
}

function parseBasic(header: string): Basic | null {
  const [, encoded] = /^basic ([a-z0-9+/]+=*)$/i.exec(header.slice(0, HEADER_CHARS_MAX)) ?? [];
  if (encoded === undefined || header.length > HEADER_CHARS_MAX) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 1 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function credentialsOf(image: MetadataImage, user: string): ScramCredential[] {
  return (["SCRAM-SHA-512", "SCRAM-SHA-256"] as const)
    .flatMap((mechanism) => image.scramCredential(user, mechanism) ?? []);
}

async function isPassword(
  password: string,
  { mechanism, salt, storedKey, iterations }: Omit<ScramCredential, "user">,
): Promise<boolean> {
  const hash = mechanism === "SCRAM-SHA-256" ? "sha256" : "sha512";
  const bytes = mechanism === "SCRAM-SHA-256" ? 32 : 64;
  const salted = await derive(password, Buffer.from(salt, "base64"), iterations, bytes, hash);
  const clientKey = createHmac(hash, salted).update("Client Key").digest();
  const found = createHash(hash).update(clientKey).digest();
  const stored = Buffer.from(storedKey, "base64");
  return found.length === stored.length && timingSafeEqual(found, stored);
}

function unauthorized(why: string): Problem {
  return new Problem(
    401,
    "who are you",
    `${why}: give the name and password of a user of the cluster (HTTP Basic)`,
  );
}
