/** The application as it runs, for those who look on: what this member tells, and what all do together. */
import {
  type LiveApplication,
  type MemberFigures,
  sumOfNodes,
} from "../../core/streams/live-application.ts";
import { describeTopology } from "../topology/describe.ts";
import type { HostLink } from "./ask-host.ts";
import type { QueriedApp } from "./queried-app.ts";
import { QueryError } from "./query-error.ts";

/** Where it is asked. */
export const LIVE_PATH = "/topology";

/** See the head of the file. */
export class LiveView {
  constructor(private readonly app: QueriedApp, private readonly link: HostLink) {}

  /** As JSON. `isForwarded`: another member asks for what this one has, and nobody else is asked. */
  async answer(isForwarded: boolean): Promise<string> {
    return JSON.stringify(isForwarded ? this.app.figures() : await this.#all());
  }

  async #all(): Promise<LiveApplication> {
    const { app } = this;
    const members = [app.figures()];
    const missing: { endpoint: string; error: string }[] = [];
    const others = new Set(app.hosts.map(({ endpoint }) => endpoint));
    await Promise.all([...others].map(async (endpoint) => {
      if (endpoint === app.endpoint) return;
      try {
        members.push(await this.#figuresOf(endpoint));
      } catch (error) {
        if (!(error instanceof QueryError)) throw error;
        missing.push({ endpoint, error: error.message });
      }
    }));
    const byEndpoint = <T extends { readonly endpoint: string | null }>(a: T, b: T) =>
      (a.endpoint ?? "") < (b.endpoint ?? "") ? -1 : 1;
    const subtopologies = app.plan?.subtopologies ?? [];
    return {
      application: app.applicationId,
      topology: describeTopology(app.topology),
      taskCounts: Object.fromEntries(
        subtopologies.map(({ subtopology, tasks }) => [String(subtopology.id), tasks]),
      ),
      nodes: sumOfNodes(members),
      members: members.sort(byEndpoint),
      missing: missing.sort(byEndpoint),
    };
  }

  async #figuresOf(endpoint: string): Promise<MemberFigures> {
    const { status, body } = await this.link.ask(endpoint, LIVE_PATH, []);
    if (status !== 200) {
      throw new QueryError(503, `member ${endpoint} does not tell of itself (HTTP ${status})`);
    }
    const { memberFiguresSchema } = await import("../../core/streams/schemas.ts");
    const parsed = memberFiguresSchema.safeParse(jsonIn(body));
    if (parsed.success) return parsed.data;
    throw new QueryError(503, `member ${endpoint} has answered something else than was asked`);
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
