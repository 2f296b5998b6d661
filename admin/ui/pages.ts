/**
 * The pages: what stands in the navigation, and which component shows which paths. A part of the
 * product that has pages adds a line.
 */
import type { ComponentType } from "preact";
import { ClientsPage } from "./pages/clients.tsx";
import { OverviewPage } from "./pages/overview.tsx";

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
  { title: "Clients", path: "/clients", letter: "l", routes: [["/clients", ClientsPage]] },
];
