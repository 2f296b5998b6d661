/**
 * A connection to a Redis server, for one task. It is never mended: who finds it broken opens
 * another one, so that nothing is sent twice behind anybody's back.
 *
 * The client is Redis's own (`@redis/client`): the runtime's reads all replies as UTF-8, which loses
 * what is none.
 */
import { createClient, ErrorReply, RESP_TYPES } from "@redis/client";
import { tlsFields, tlsFiles, tlsProblems } from "../../formats/index.ts";
import { int, list, RetriableError, secret, string } from "../../index.ts";
import type { ConfigOf, TaskContext } from "../../index.ts";

export const redisFields = {
  "redis.uri": list().default(["redis://127.0.0.1:6379"]).importance("HIGH").check(allUris).doc(
    "Where the server is, redis://HOST:PORT/DATABASE, or rediss:// for TLS. Of several, for a primary " +
      "and its replicas, the next one is asked where one cannot be reached or takes no writes.",
  ).example("rediss://redis.example.com:6379/0"),
  "redis.username": string().optional().doc(
    "The user of Redis's ACLs; without it, the default user.",
  ),
  "redis.password": secret().optional().doc("The password of the user, or of requirepass."),
  "redis.timeout.ms": int({ min: 1 }).default(10_000).doc(
    "How long a connection, or an answer, may take.",
  ),
  ...tlsFields,
};

export type RedisConfig = ConfigOf<typeof redisFields>;

/** What Redis answers; texts are bytes. */
export type Reply = null | number | string | Buffer | readonly Reply[];

/** Redis refuses, and would again. */
export class RedisRefusal extends Error {
  override readonly name = "RedisRefusal";
}

function allUris(uris: readonly string[]): string | null {
  if (uris.length === 0) return "must name a server";
  for (const uri of uris) {
    const refusal = refusalOfUri(uri);
    if (refusal !== null) return refusal;
  }
  return null;
}

function refusalOfUri(text: string): string | null {
  const isRedis = URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol);
  return isRedis ? null : "must be redis://HOST:PORT or rediss://HOST:PORT";
}

/** What is wrong with the fields together. */
export function redisProblems(config: RedisConfig) {
  const isOpen = config["redis.uri"].some((uri) => /@/.test(new URL(uri).href));
  // Not found by the field: what a field refuses is shown.
  const message =
    '"redis.uri" must not hold user and password: redis.username and redis.password do';
  return [...isOpen ? [{ field: "redis.uri", message }] : [], ...tlsProblems(config)];
}

/** What passes by itself: the server begins, is full, is not the primary any more, is busy. */
const PASSING = new Set([
  ...["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY"],
  ...["TRYAGAIN", "UNKILLABLE"],
]);

/** What a refusal asks of who runs it. */
const ADVICE: Readonly<Record<string, string>> = {
  CROSSSLOT: "it is a Redis Cluster, which this connector does not know",
  MISCONF: "it cannot write to its disk",
  MOVED: "it is a Redis Cluster, which this connector does not know",
  NOAUTH: "redis.password must be given",
  NOPERM: "its ACLs must allow this user that command, and these keys",
  OOM: "it has come to its maxmemory and gives nothing up",
  READONLY: "it is a replica",
  WRONGPASS: "redis.username and redis.password are not right",
};

/** What Redis has said, as an error that says whether trying again may help. */
export function refusalFrom(server: string, said: string): RetriableError | RedisRefusal {
  const code = /^[A-Z]+/.exec(said)?.[0] ?? "";
  const advice = Object.hasOwn(ADVICE, code) ? ` (${ADVICE[code]})` : "";
  const message = `Redis at ${server} refuses: ${said}${advice}`;
  const isPassing = PASSING.has(code) || said.includes("max number of clients");
  return isPassing ? new RetriableError(message) : new RedisRefusal(message);
}

type World = Pick<TaskContext<unknown>, "clock" | "signal">;

/** See the head of the file. */
export class RedisConnection {
  private constructor(
    readonly server: string,
    private readonly client: ReturnType<typeof clientOf>,
    private readonly timeoutMs: number,
    private readonly world: World,
  ) {}

  /** `attempt`: how often it was tried, so that each server has its turn. Throws as `send`. */
  static async open(config: RedisConfig, world: World, attempt = 0): Promise<RedisConnection> {
    const uris = config["redis.uri"];
    const url = new URL(uris[attempt % uris.length]!);
    const client = clientOf(url, config);
    // Errors are those of commands; without a listener they would end the process.
    client.on("error", () => {});
    const timeoutMs = config["redis.timeout.ms"];
    const connection = new RedisConnection(url.host, client, timeoutMs, world);
    world.signal.addEventListener("abort", connection.#end, { once: true });
    await connection.#answered(client.connect(), timeoutMs);
    return connection;
  }

  /**
   * Sends a command. `waitMs`: how long the command itself may wait. Throws `RedisRefusal`, and
   * `RetriableError`, behind which the connection is of no use.
   */
  send(command: readonly (string | Buffer)[], waitMs = 0): Promise<Reply> {
    return this.#answered(this.client.sendCommand(command), waitMs + this.timeoutMs);
  }

  get isOpen(): boolean {
    return this.client.isReady;
  }

  readonly #end = () => this.close();

  close(): void {
    this.world.signal.removeEventListener("abort", this.#end);
    if (this.client.isOpen) this.client.destroy();
  }

  async #answered<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
    const over = new AbortController();
    const late = this.world.clock.sleep(timeoutMs, over.signal).then(() => LATE);
    try {
      const first = await Promise.race([answer, late]);
      if (first !== LATE) return first as T;
      answer.catch(() => {});
    } catch (error) {
      const trouble = this.#troubleOf(error);
      if (trouble instanceof RetriableError) this.close();
      throw trouble;
    } finally {
      over.abort();
    }
    this.close();
    throw new RetriableError(`Redis at ${this.server} does not answer within ${timeoutMs} ms`);
  }

  #troubleOf(error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof ErrorReply) return refusalFrom(this.server, message);
    return new RetriableError(`Redis at ${this.server} cannot be reached: ${message}`);
  }
}

const LATE = Symbol("late");

function clientOf(url: URL, config: RedisConfig) {
  const username = config["redis.username"];
  const password = config["redis.password"];
  const connectTimeout = config["redis.timeout.ms"];
  const common = { reconnectStrategy: false, connectTimeout } as const;
  return createClient({
    url: url.href,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    socket: url.protocol === "rediss:"
      ? { ...common, tls: true, ...tlsFiles(config) }
      : { ...common },
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled",
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}

/** For `probe`, which knows no clock: the client's own bounds count. */
export function probeWorld(signal: AbortSignal): World {
  return {
    signal,
    clock: { wallMs: () => 0, monotonicMs: () => 0, sleep: () => new Promise<void>(() => {}) },
  };
}
