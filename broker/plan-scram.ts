/**
 * What the controller would write to alter SCRAM credentials: a pure function of the image and the
 * request, with Kafka's codes and words (`ScramControlManager`; KIP-554).
 */
import { createHash, createHmac } from "node:crypto";
import { Errors } from "../core/errors.ts";
import type { MetadataImage } from "../cluster/metadata-image.ts";
import type { MetadataRecord, ScramMechanism } from "../cluster/metadata-records.ts";
import { accept, type Outcome, type Refusal, refuse } from "./outcome.ts";
import type { Plan } from "./plan-topics.ts";

/** Kafka's `ScramMechanism` by its number on the wire. */
export const ScramMechanisms: Readonly<Record<ScramMechanism, number>> = {
  "SCRAM-SHA-256": 1,
  "SCRAM-SHA-512": 2,
};

const HASHES: Readonly<Record<ScramMechanism, string>> = {
  "SCRAM-SHA-256": "sha256",
  "SCRAM-SHA-512": "sha512",
};

/** What Kafka takes: less is too easy to guess, more takes too long at each connection. */
const ITERATIONS_MIN = 4096;
const ITERATIONS_MAX = 16384;

/** A change of one user's credential, mechanisms by their numbers. */
export type ScramChange =
  | { readonly kind: "delete"; readonly user: string; readonly mechanism: number }
  | {
    readonly kind: "upsert";
    readonly user: string;
    readonly mechanism: number;
    readonly iterations: number;
    readonly salt: Uint8Array;
    readonly saltedPassword: Uint8Array;
  };

/** The users of the changes, each once, in order: one outcome of the plan is for one user. */
export function scramUsers(changes: readonly ScramChange[]): string[] {
  return [...new Set(changes.map(({ user }) => user))];
}

/** Plans changes of credentials. Each user succeeds or fails alone; nobody may be named twice. */
export function planAlterScram(
  image: MetadataImage,
  changes: readonly ScramChange[],
): Plan<null> {
  const records: MetadataRecord[] = [];
  const byUser = Map.groupBy(changes, ({ user }) => user);
  const outcomes = [...byUser.values()].map((ofUser): Outcome<null> => {
    const problem = ofUser.map((change) => problemOf(image, change))[0] ?? null;
    if (problem !== null) return problem;
    if (ofUser.length > 1) {
      return refuse(
        Errors.DUPLICATE_RESOURCE,
        "A user credential cannot be altered twice in the same request",
      );
    }
    records.push(...ofUser.map(recordOf));
    return accept(null);
  });
  return { records, outcomes };
}

function problemOf(image: MetadataImage, change: ScramChange): Refusal | null {
  if (change.user === "") {
    return refuse(Errors.UNACCEPTABLE_CREDENTIAL, "Username must not be empty");
  }
  const mechanism = mechanismOf(change.mechanism);
  if (mechanism === null) {
    return refuse(Errors.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism");
  }
  if (change.kind === "delete") {
    return image.scramCredential(change.user, mechanism) === undefined
      ? refuse(
        Errors.RESOURCE_NOT_FOUND,
        "Attempt to delete a user credential that does not exist",
      )
      : null;
  }
  if (change.iterations < ITERATIONS_MIN) {
    return refuse(Errors.UNACCEPTABLE_CREDENTIAL, "Too few iterations");
  }
  if (change.iterations > ITERATIONS_MAX) {
    return refuse(Errors.UNACCEPTABLE_CREDENTIAL, "Too many iterations");
  }
  // Kafka fails on it inside.
  return change.saltedPassword.length === 0
    ? refuse(Errors.UNACCEPTABLE_CREDENTIAL, "The salted password must not be empty")
    : null;
}

/** The mechanism of a number on the wire, or null. */
export function mechanismOf(code: number): ScramMechanism | null {
  if (code === ScramMechanisms["SCRAM-SHA-256"]) return "SCRAM-SHA-256";
  return code === ScramMechanisms["SCRAM-SHA-512"] ? "SCRAM-SHA-512" : null;
}

function recordOf(change: ScramChange): MetadataRecord {
  const { user } = change;
  const mechanism = mechanismOf(change.mechanism) ?? "SCRAM-SHA-256";
  if (change.kind === "delete") {
    return { type: "remove-scram-credential", version: 1, user, mechanism };
  }
  const { iterations, salt, saltedPassword } = change;
  return {
    type: "scram-credential",
    version: 1,
    user,
    mechanism,
    salt: Buffer.from(salt).toString("base64"),
    iterations,
    ...scramKeys(mechanism, saltedPassword),
  };
}

/** The keys of RFC 5802, section 3, in base64: what a broker keeps in place of the password. */
export function scramKeys(
  mechanism: ScramMechanism,
  saltedPassword: Uint8Array,
): { readonly storedKey: string; readonly serverKey: string } {
  const hash = HASHES[mechanism];
  const hmac = (text: string) => createHmac(hash, saltedPassword).update(text).digest();
  return {
    storedKey: createHash(hash).update(hmac("Client Key")).digest("base64"),
    serverKey: hmac("Server Key").toString("base64"),
  };
}
