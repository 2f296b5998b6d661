/** What a thread processes, made anew in it. */
import { OperatorError } from "../../../core/operator-error.ts";
import type { Topology } from "../../../stream/topology/topology.ts";
import { type AppConfig, loadApp } from "../load-app.ts";
import type { ThreadSource } from "./messages.ts";

/** Throws an `OperatorError`. */
export async function loadSource(
  source: ThreadSource,
): Promise<{ readonly topology: Topology; readonly config: AppConfig }> {
  switch (source.kind) {
    case "module":
      return await loadApp(source.path, source.given);
    case "sql": {
      const { parseQuery } = await import("../../../stream/sql/parse.ts");
      const { compileQuery } = await import("../../../stream/sql/compile.ts");
      const query = await parseQuery(source.sql);
      if (query.into === null) {
        throw new OperatorError("a query that prints has one thread", "", "");
      }
      return { topology: compileQuery(query, { topic: query.into }), config: source.config };
    }
    case "pipe": {
      const { pipeTopology } = await import("../../../stream/pipe/pipe-topology.ts");
      return { topology: pipeTopology(source.pipe), config: source.config };
    }
  }
}
