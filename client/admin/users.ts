/** Administration of users and their passwords for SCRAM (KIP-554). Any broker passes them on. */
import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { Errors } from "../../core/errors.ts";
import { describeUserScramCredentials } from "../../core/protocol/50-describe-user-scram-credentials.ts";
import { alterUserScramCredentials } from "../../core/protocol/51-alter-user-scram-credentials.ts";
import type { Cluster } from "../cluster.ts";
import { KafkaError } from "../errors.ts";
import type { ClientIo, OperationOptions } from "../options.ts";

const derive = promisify(pbkdf2);

/** How a password is hashed. */
export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512";

/** A user; nobody can read a password. */
export interface ScramUserInfo {
  readonly name: string;
  /** How often the hash is applied, by mechanism. */
  readonly iterations: Readonly<Partial<Record<ScramMechanism, number>>>;
}

/** What `UserAdmin.set` hashes a password with. */
export interface PasswordOptions {
  /** Default SCRAM-SHA-256. */
  readonly mechanism?: ScramMechanism;
  /** From 4096 to 16,384. Default 8192. */
  readonly iterations?: number;
}

const HASHES = {
  "SCRAM-SHA-256": { number: 1, hash: "sha256", bytes: 32 },
  "SCRAM-SHA-512": { number: 2, hash: "sha512", bytes: 64 },
} as const;
const SALT_BYTES = 16;
const ITERATIONS = 8192;

/** User operations of an `Admin`. */
export class UserAdmin {
  constructor(private readonly cluster: Cluster, private readonly io: Pick<ClientIo, "random">) {}

  /** All users, or these; one that is not there is left out. By name. */
  async list(
    names: readonly string[] | null = null,
    options: OperationOptions = {},
  ): Promise<ScramUserInfo[]> {
    return await this.cluster.retry("list users", async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const users = names?.map((name) => ({ name })) ?? null;
      const answer = await connection.request(describeUserScramCredentials, { users }, {
        timeoutMs,
      });
      check("list users", answer);
      return answer.results.flatMap((result) => {
        if (result.errorCode === Errors.RESOURCE_NOT_FOUND) return [];
        check("list users", result);
        const iterations = Object.fromEntries(
          result.credentialInfos.map((info) => [mechanismOf(info.mechanism), info.iterations]),
        );
        return [{ name: result.user, iterations }];
      }).sort((a, b) => a.name < b.name ? -1 : 1);
    }, options);
  }

  /** Sets a user's password, of which the cluster keeps a salted hash; a new name is a new user. */
  async set(
    name: string,
    password: string,
    { mechanism = "SCRAM-SHA-256", iterations = ITERATIONS, ...options }:
      & PasswordOptions
      & OperationOptions = {},
  ): Promise<void> {
    const { number, hash, bytes } = HASHES[mechanism];
    const salt = this.io.random.bytes(SALT_BYTES);
    const saltedPassword = await derive(password, salt, iterations, bytes, hash);
    const upsertion = { name, mechanism: number, iterations, salt, saltedPassword };
    await this.#alter(`set the password of ${name}`, [], [upsertion], options);
  }

  /** Removes what a user can log in with. Throws RESOURCE_NOT_FOUND where there is nothing. */
  async delete(
    name: string,
    mechanisms: readonly ScramMechanism[],
    options: OperationOptions = {},
  ): Promise<void> {
    // One request may name a user once.
    for (const mechanism of mechanisms) {
      const deletion = { name, mechanism: HASHES[mechanism].number };
      await this.#alter(`delete user ${name}`, [deletion], [], options);
    }
  }

  async #alter(
    what: string,
    deletions: readonly { name: string; mechanism: number }[],
    upsertions: readonly {
      name: string;
      mechanism: number;
      iterations: number;
      salt: Uint8Array;
      saltedPassword: Uint8Array;
    }[],
    options: OperationOptions,
  ): Promise<void> {
    await this.cluster.retry(what, async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const answer = await connection.request(alterUserScramCredentials, {
        ...{ deletions: [...deletions], upsertions: [...upsertions] },
      }, { timeoutMs });
      for (const result of answer.results) check(what, result);
    }, options);
  }
}

function mechanismOf(number: number): ScramMechanism {
  return number === HASHES["SCRAM-SHA-512"].number ? "SCRAM-SHA-512" : "SCRAM-SHA-256";
}

function check(
  what: string,
  { errorCode, errorMessage }: { errorCode: number; errorMessage: string | null },
): void {
  if (errorCode !== Errors.NONE) throw new KafkaError(errorCode, what, errorMessage);
}
