/**
 * A bucket of any S3-compatible store, through the runtime's own client: it signs, sends large objects
 * in parts and needs no package. It knows no signals, so calls are raced with them here.
 */
import { RetriableError, secret, string } from "../index.ts";
import { boolean, long } from "../index.ts";
import type { ConfigOf, TaskClock } from "../index.ts";

/** Names are those of the S3 connectors that people come from. */
export const s3Fields = {
  "s3.bucket.name": string().importance("HIGH").doc("The bucket that the objects are in."),
  "s3.region": string().default("us-east-1").doc("The region of the bucket."),
  "store.url": string().optional().check(storeUrl).doc(
    "Where the store is, if it is not Amazon's.",
  ).example("http://minio:9000"),
  "aws.access.key.id": string().optional().doc(
    "The access key; without it, AWS_ACCESS_KEY_ID and its like of the worker count.",
  ),
  "aws.secret.access.key": secret().optional().doc("The secret of the access key."),
  "aws.session.token": secret().optional().doc("The token of temporary credentials."),
  "s3.virtual.host.style": boolean().default(false).doc(
    "Whether the bucket is part of the host's name, not of the path.",
  ),
  "s3.timeout.ms": long({ min: 1 }).default(300_000).doc("How long a call of the store may take."),
};

function storeUrl(text: string | null): string | null {
  if (text === null) return null;
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
    ? null
    : "must be a URL that begins with http:// or https://";
}

export interface S3Object {
  readonly key: string;
  readonly size: number;
  readonly modifiedMs: number;
}

/** Codes that trying again does not mend. */
const FATAL = new Set([
  "AccessDenied",
  "AuthorizationHeaderMalformed",
  "InvalidAccessKeyId",
  "InvalidBucketName",
  "NoSuchBucket",
  "SignatureDoesNotMatch",
  "ERR_S3_MISSING_CREDENTIALS",
]);

export class S3Bucket {
  readonly #client: Bun.S3Client;
  readonly #name: string;
  readonly #timeoutMs: number;

  constructor(
    config: ConfigOf<typeof s3Fields>,
    readonly clock: TaskClock,
    readonly signal: AbortSignal,
  ) {
    this.#name = config["s3.bucket.name"];
    this.#timeoutMs = config["s3.timeout.ms"];
    this.#client = new Bun.S3Client({
      bucket: this.#name,
      region: config["s3.region"],
      virtualHostedStyle: config["s3.virtual.host.style"],
      ...given("endpoint", config["store.url"]),
      ...given("accessKeyId", config["aws.access.key.id"]),
      ...given("secretAccessKey", config["aws.secret.access.key"]),
      ...given("sessionToken", config["aws.session.token"]),
    });
  }

  /** Puts a file of this machine; an object of the same key is replaced in one step. */
  async put(key: string, path: string, type: string): Promise<void> {
    await this.#call(`put ${key} into`, this.#client.write(key, Bun.file(path), { type }));
  }

  /** Objects whose keys begin so, in their order, a thousand at a time. */
  async *list(prefix: string): AsyncGenerator<S3Object[]> {
    let continuationToken: string | undefined;
    do {
      const page = await this.#call(
        "list",
        this.#client.list({
          prefix,
          ...(continuationToken === undefined ? {} : { continuationToken }),
        }),
      );
      yield (page.contents ?? []).map(({ key, size, lastModified }) => ({
        key,
        size: Number(size ?? 0),
        modifiedMs: Date.parse(String(lastModified ?? 0)),
      }));
      const next = page.isTruncated === true ? page.nextContinuationToken : undefined;
      if (next !== undefined && next === continuationToken) return;
      continuationToken = next;
    } while (continuationToken !== undefined && !this.signal.aborted);
  }

  /** Gets an object into a file; false if it has gone. */
  async get(key: string, path: string): Promise<boolean> {
    const getting = Bun.write(path, new Response(this.#client.file(key).stream()));
    try {
      await this.#call(`get ${key} of`, getting);
      return true;
    } catch (error) {
      if (error instanceof MissingObject) return false;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    await this.#call(`delete ${key} of`, this.#client.delete(key));
  }

  /** Throws `RetriableError` for what may be well later, else what to do about it. */
  async #call<T>(what: string, work: Promise<T>): Promise<T> {
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, this.signal]);
    const late = this.clock.sleep(this.#timeoutMs, either).then(() => {
      this.signal.throwIfAborted();
      throw new Error(`no answer in ${this.#timeoutMs} ms`);
    });
    // Whichever loses is nobody's any more.
    late.catch(() => {});
    work.catch(() => {});
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      this.signal.throwIfAborted();
      throw this.#failure(what, error);
    } finally {
      over.abort();
    }
  }

  #failure(what: string, error: unknown): Error {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "NoSuchKey") return new MissingObject(`cannot ${what} ${this.#name}: it has gone`);
    const why = error instanceof Error ? error.message : String(error);
    const message = `cannot ${what} bucket ${this.#name}: ${code === "" ? why : `${code}: ${why}`}`;
    return FATAL.has(code) ? new Error(message) : new RetriableError(message);
  }
}

/** There is no object of this key any more. */
class MissingObject extends Error {
  override readonly name = "MissingObject";
}

function given<K extends string>(name: K, value: string | null): Partial<Record<K, string>> {
  // A computed key makes the compiler forget which one it is.
  return value === null ? {} : { [name]: value } as Record<K, string>;
}
