/** The options of `kstream stream run` that have stores be asked over HTTP. */
import { addressText } from "../../core/connection-error.ts";
import type { Clock, HostPort } from "../../core/io.ts";
import { bunServeHttp } from "../../core/io/bun/http.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { QueriedApp } from "../../stream/queries/queried-app.ts";
import { QueryServer } from "../../stream/queries/query-server.ts";
import { queryToken } from "../query-token.ts";
import type { ThreadQueries } from "./threads/messages.ts";

export interface QueryFlags {
  readonly queries?: string | undefined;
  readonly queriesAdvertise?: string | undefined;
  readonly queriesToken?: string | undefined;
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

const WILDCARDS = ["0.0.0.0", "::"];

/** Null: stores are not to be asked. Throws an `OperatorError`. */
export function openQueries(flags: QueryFlags, clock: Clock, logger: Logger): OpenQueries | null {
  const { queries, queriesAdvertise, queriesToken } = flags;
  if (queries === undefined) {
    if (queriesAdvertise === undefined && queriesToken === undefined) return null;
    const flag = queriesToken === undefined ? "--queries-advertise" : "--queries-token";
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
  const server = new QueryServer({
    ...{ serveHttp: bunServeHttp, ask: fetch, clock, logger, at, token },
  });
  const endpoint = advertised === null ? server.address : addressText(advertised);
  return {
    url: `http://${server.address}/stores`,
    endpoint,
    forThreads: { endpoint, ownName: at.host, token },
    answerFor: (app) => server.answerFor(app),
    answerBy: (answer) => server.answerBy(answer),
    close: () => server.close(),
  };
}

function address(text: string, flag: string): HostPort {
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) < 65_536) return { host, port: Number(port) };
  const what = `${flag} cannot be read: "${text}"`;
  throw new OperatorError(what, "it is no address", "write host:port", 2);
}
