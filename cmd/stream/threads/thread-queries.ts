/** Queries of the stores of one thread: they come by way of the main thread, and those to others go so. */
import type { Logger } from "../../../core/logger.ts";
import { type AskHttp, HostLink } from "../../../stream/queries/ask-host.ts";
import type { QueriedApp } from "../../../stream/queries/queried-app.ts";
import { LiveView } from "../../../stream/queries/live-view.ts";
import { queryApp } from "../../../stream/queries/query-app.ts";
import { StoreQueries } from "../../../stream/queries/store-queries.ts";
import { clientIo } from "../../client.ts";
import { askTrusting } from "../../ask-trusting.ts";
import { type PlainRequest, type PlainResponse, threadOf, type ThreadQueries } from "./messages.ts";

/** Asks another thread of this process. */
export type AskThread = (thread: number, request: PlainRequest) => Promise<PlainResponse>;

/** See the head of the file. */
export function answersOf(
  app: QueriedApp,
  { endpoint, ownName, token, isTls, ca }: ThreadQueries,
  askThread: AskThread,
  logger: Logger,
): (request: PlainRequest) => Promise<PlainResponse> {
  const link = new HostLink(clientIo.clock, asking(endpoint, askThread, askTrusting(ca)), {
    ...{ token, isTls },
  });
  const queries = new StoreQueries(app, link, clientIo.clock);
  const live = new LiveView(app, link);
  const answers = queryApp({ queries, live, logger, ownName, token });
  return async ({ url, method, headers }) => {
    const response = await answers.fetch(new Request(url, { method, headers: headersOf(headers) }));
    return { status: response.status, headers: [...response.headers], body: await response.text() };
  };
}

/** Threads of this process are asked without the way over its address, which may lead elsewhere from here. */
function asking(endpoint: string, askThread: AskThread, elsewhere: AskHttp): AskHttp {
  return async (address, init) => {
    const url = new URL(address);
    const to = threadOf(url.pathname);
    if (to === null || url.host !== new URL(`${url.protocol}//${endpoint}`).host) {
      return await elsewhere(address, init);
    }
    const headers = new Headers(init.headers);
    headers.set("host", "localhost");
    url.pathname = to.path;
    const asked = askThread(to.thread, { url: url.href, method: "GET", headers: [...headers] });
    const { status, headers: answered, body } = await orAborted(asked, init.signal ?? null);
    return new Response(body, { status, headers: headersOf(answered) });
  };
}

function headersOf(pairs: PlainResponse["headers"]): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
}

function orAborted<T>(asked: Promise<T>, signal: AbortSignal | null): Promise<T> {
  if (signal === null) return asked;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(new Error(String(signal.reason)));
    signal.addEventListener("abort", abort, { once: true });
    asked.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
