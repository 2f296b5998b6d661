/** `kstream clients`. */
import type { ConnectedClient } from "../../broker/connected-clients.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type AdminApiOptions, askAdmin } from "../admin-client.ts";
import { type Column, formatBytes, formatTable, print, printJson } from "../output.ts";

/** The options of the command. */
export interface ClientsOptions extends AdminApiOptions {
  readonly topic?: string | undefined;
  readonly clientId?: string | undefined;
  readonly json?: boolean | undefined;
}

const COLUMNS: readonly Column<ConnectedClient>[] = [
  { title: "CLIENT", cell: ({ clientId }) => clientId },
  { title: "SOFTWARE", cell: softwareOf },
  { title: "PRINCIPAL", cell: ({ principal }) => principal },
  { title: "ADDRESS", cell: ({ address }) => address },
  { title: "LISTENER", cell: ({ listener }) => listener },
  { title: "TOPICS", cell: topicsOf },
  { title: "REQ/S", cell: ({ rates }) => rates.requests.toFixed(1), right: true },
  { title: "IN/S", cell: ({ rates }) => formatBytes(Math.round(rates.bytesIn)), right: true },
  { title: "OUT/S", cell: ({ rates }) => formatBytes(Math.round(rates.bytesOut)), right: true },
  { title: "WAITING", cell: ({ inFlight }) => inFlight, right: true },
  { title: "THROTTLED", cell: ({ throttledMs }) => `${throttledMs} ms`, right: true },
  { title: "LAST ERROR", cell: errorOf },
];

/** Prints who is connected. */
export async function listClients(options: ClientsOptions): Promise<void> {
  const answer = await askAdmin(options, { method: "GET", path: "/v1/clients" });
  const clients = clientsIn(answer).filter((client) =>
    (options.topic === undefined || client.topics.includes(options.topic)) &&
    (options.clientId === undefined || client.clientId === options.clientId)
  );
  if (options.json) await printJson(clients);
  else await print(formatTable(clients, COLUMNS));
}

/** This program and the broker may differ by a version, so what is printed is looked at. */
function clientsIn(answer: unknown): ConnectedClient[] {
  const isStruct = typeof answer === "object" && answer !== null && "clients" in answer;
  if (isStruct && Array.isArray(answer.clients) && answer.clients.every(isClient)) {
    return answer.clients;
  }
  throw new OperatorError(
    "the admin API's answer cannot be read",
    "it lists clients in another form",
    "use a kstream of the broker's version",
  );
}

function isClient(value: unknown): value is ConnectedClient {
  return typeof value === "object" && value !== null && "rates" in value && "topics" in value &&
    Array.isArray(value.topics) && "lastError" in value && "principal" in value;
}

function softwareOf({ software, softwareVersion }: ConnectedClient): string | null {
  return software === null ? null : [software, softwareVersion].join(" ").trim();
}

function topicsOf({ topics, hasMoreTopics }: ConnectedClient): string {
  return [...topics, ...hasMoreTopics ? ["…"] : []].join(",");
}

function errorOf({ lastError }: ConnectedClient): string | null {
  return lastError === null ? null : `${lastError.api} ${lastError.error}`;
}
