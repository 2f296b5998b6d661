/** `kstream stream pipe`: records of topics through expressions into another one. */
import { OperatorError } from "../../core/operator-error.ts";
import { pipeTopology } from "../../stream/pipe/pipe-topology.ts";
import { type OneLinerOptions, runOneLiner } from "./one-liner.ts";

export interface PipeFlags extends OneLinerOptions {
  readonly where?: string | undefined;
  readonly map?: string | undefined;
  readonly keyBy?: string | undefined;
  readonly to?: string | undefined;
}

/** Throws `OperatorError`. */
export async function runPipe(topics: readonly string[], options: PipeFlags): Promise<void> {
  const { where, map, keyBy, to } = options;
  if (to !== undefined && topics.includes(to)) {
    const why = "each record would be read again, without end";
    throw new OperatorError(`topic "${to}" is both read and written`, why, "name another --to", 2);
  }
  const expressions = {
    ...(where !== undefined && { where }),
    ...(map !== undefined && { map }),
    ...(keyBy !== undefined && { keyBy }),
  };
  await runOneLiner({
    ...{ kind: "pipe", into: to ?? null },
    text: JSON.stringify([topics, expressions, to]),
    sourceOf: (config) => ({
      ...{ kind: "pipe", config, pipe: { from: topics, to: to ?? null, ...expressions } },
    }),
    build: (rows) =>
      pipeTopology({
        ...{ from: topics, to: to ?? null, ...expressions },
        look: ({ value }) => rows.write(value === null ? "" : Buffer.from(value).toString()),
      }),
  }, options);
}
