/**
 * The pages: what stands in the navigation, and which component shows which paths. A part of the
 * product that has pages adds a line.
 */
import type { ComponentType } from "preact";
import { AccessPage } from "./pages/access.tsx";
import { BrokerPage, BrokersPage } from "./pages/brokers.tsx";
import { ClientsPage } from "./pages/clients.tsx";
import { ConnectorPage } from "./pages/connector.tsx";
import { NewConnectorPage } from "./pages/connector-config.tsx";
import { ConnectorsPage } from "./pages/connectors.tsx";
import { DisksPage } from "./pages/disks.tsx";
import { GroupPage } from "./pages/group.tsx";
import { GroupsPage } from "./pages/groups.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { StreamPage } from "./pages/stream.tsx";
import { StreamsPage } from "./pages/streams.tsx";
import { TopicPage } from "./pages/topic.tsx";
import { TopicsPage } from "./pages/topics.tsx";
import { TransactionPage } from "./pages/transaction.tsx";
import { TransactionsPage } from "./pages/transactions.tsx";

/** A page and those below it. */
export interface PageEntry {
  readonly title: string;
  /** Its path, where the navigation leads. */
  readonly path: string;
  /** The key after `g`. */
  readonly letter: string;
  /** Patterns of paths (`router.ts`), the first that matches, and what shows them. */
  readonly routes: readonly (readonly [pattern: string, component: ComponentType])[];
}

export const PAGES: readonly PageEntry[] = [
  { title: "Overview", path: "/", letter: "o", routes: [["/", OverviewPage]] },
  {
    title: "Topics",
    path: "/topics",
    letter: "t",
    routes: [["/topics", TopicsPage], ["/topics/:topic/:tab?", TopicPage]],
  },
  {
    title: "Groups",
    path: "/groups",
    letter: "c",
    routes: [["/groups", GroupsPage], ["/groups/:group", GroupPage]],
  },
  {
    title: "Transactions",
    path: "/transactions",
    letter: "x",
    routes: [["/transactions", TransactionsPage], ["/transactions/:transaction", TransactionPage]],
  },
  {
    title: "Brokers",
    path: "/brokers",
    letter: "b",
    routes: [["/brokers", BrokersPage], ["/brokers/:broker/:tab?", BrokerPage]],
  },
  {
    title: "Connectors",
    path: "/connectors",
    letter: "n",
    routes: [
      ["/connectors", ConnectorsPage],
      ["/connectors/:connector/:tab?", ConnectorPage],
      ["/new-connector/:plugin?", NewConnectorPage],
    ],
  },
  {
    title: "Streams",
    path: "/streams",
    letter: "s",
    routes: [["/streams", StreamsPage], ["/streams/:application/:tab?", StreamPage]],
  },
  { title: "Disks", path: "/disks", letter: "d", routes: [["/disks", DisksPage]] },
  { title: "Clients", path: "/clients", letter: "l", routes: [["/clients", ClientsPage]] },
  { title: "Access", path: "/access", letter: "a", routes: [["/access/:tab?", AccessPage]] },
];
