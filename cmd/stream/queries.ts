/** The options of `kstream stream run` that have stores be asked over HTTP. */
import { addressText } from "../../core/connection-error.ts";
import type { Clock, HostPort } from "../../core/io.ts";
import { bunServeHttp } from "../../core/io/bun/http.ts";
import type { HttpTls } from "../../core/io/http.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { QueriedApp } from "../../stream/queries/queried-app.ts";
import { QueryServer } from "../../stream/queries/query-server.ts";
import { askTrusting } from "../ask-trusting.ts";
import { queryToken } from "../query-token.ts";
import type { ThreadQueries } from "./threads/messages.ts";

export interface QueryFlags {
  readonly queries?: string | undefined;
  readonly queriesAdvertise?: string | undefined;
  readonly queriesToken?: string | undefined;
  /** Files: its certificate, the key, and who signs those of other members. */
  readonly queriesCert?: string | undefined;
  readonly queriesKey?: string | undefined;
  readonly queriesCa?: string | undefined;
}

/** A server that listens. */
export interface OpenQueries {
  readonly url: string;
  /** Where other members find it: `HOST:PORT`. */
  readonly endpoint: string;
  answerFor(app: QueriedApp): void;
  /** Of an application in other threads. */
  answerBy(answer: (request: Request) => Promise<Response>): void;
  readonly forThreads: ThreadQueries;
  close(): Promise<void>;
}

/** What goes with `--queries` alone. */
const BESIDE = [
  ["queriesToken", "--queries-token"],
  ["queriesAdvertise", "--queries-advertise"],
  ["queriesCert", "--queries-cert"],
  ["queriesKey", "--queries-key"],
  ["queriesCa", "--queries-ca"],
] as const;
const WILDCARDS = ["0.0.0.0", "::"];

/** Null: stores are not to be asked. Throws an `OperatorError`. */
export async function openQueries(
  flags: QueryFlags,
  clock: Clock,
  logger: Logger,
): Promise<OpenQueries | null> {
  const { queries, queriesAdvertise, queriesToken } = flags;
  if (queries === undefined) {
    const flag = BESIDE.find(([name]) => flags[name] !== undefined)?.[1];
    if (flag === undefined) return null;
    throw new OperatorError(`${flag} is for --queries`, "nothing listens", "say both", 2);
  }
  const at = address(queries, "--queries");
  const advertised = queriesAdvertise === undefined
    ? null
    : address(queriesAdvertise, "--queries-advertise");
  if (advertised?.port === 0 || advertised === null && WILDCARDS.includes(at.host)) {
    throw new OperatorError(
      "other members cannot find this one",
      `${addressText(advertised ?? at)} is no address to ask at`,
      "say where with --queries-advertise HOST:PORT",
      2,
    );
  }
  const token = queriesToken === undefined ? null : queryToken(queriesToken, "--queries-token");
  const { tls, ca } = await tlsOf(flags, clock.wallMs());
  const isTls = tls !== null;
  const server = new QueryServer({
    ...{ serveHttp: bunServeHttp, ask: askTrusting(ca), clock, logger, at, token, tls },
  });
  const endpoint = advertised === null ? server.address : addressText(advertised);
  return {
    url: `${isTls ? "https" : "http"}://${server.address}/stores`,
    endpoint,
    forThreads: { endpoint, ownName: at.host, token, isTls, ca },
    answerFor: (app) => server.answerFor(app),
    answerBy: (answer) => server.answerBy(answer),
    close: () => server.close(),
  };
}

interface QueryTls {
  readonly tls: HttpTls | null;
  readonly ca: string | null;
}

async function tlsOf(
  { queriesCert, queriesKey, queriesCa }: QueryFlags,
  nowMs: number,
): Promise<QueryTls> {
  if ([queriesCert, queriesKey, queriesCa].every((file) => file === undefined)) {
    return { tls: null, ca: null };
  }
  // What reads certificates takes long to load.
  const { readAuthorities, readHttpTls } = await import("../http-tls.ts");
  const tls = readHttpTls("the server of queries", {
    cert: ["--queries-cert", queriesCert],
    key: ["--queries-key", queriesKey],
  }, nowMs);
  const what = "other members cannot be asked";
  if (queriesCa === undefined) return { tls, ca: null };
  if (tls !== null) return { tls, ca: readAuthorities(what, queriesCa, "--queries-ca") };
  const why = "all members speak TLS, or none does";
  throw new OperatorError(what, why, "say --queries-cert and --queries-key, too", 2);
}

function address(text: string, flag: string): HostPort {
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) < 65_536) return { host, port: Number(port) };
  const what = `${flag} cannot be read: "${text}"`;
  throw new OperatorError(what, "it is no address", "write host:port", 2);
}
