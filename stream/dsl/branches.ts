/** A stream that is split: a node for each branch. */
import { branching, stateless } from "../processors/stateless.ts";
import type { StreamRecord } from "../record.ts";
import { TopologyError } from "../topology/topology.ts";
import type { TopologyBuilder } from "./builder.ts";

/** The nodes by the names of the branches: those of conditions, and that of what is left over. */
export function addBranches<K, V>(
  builder: TopologyBuilder,
  parent: string,
  branches: Readonly<Record<string, (value: V, key: K) => boolean>>,
  otherwise: string | null,
): ReadonlyMap<string, string> {
  if (otherwise !== null && Object.hasOwn(branches, otherwise)) {
    throw new TopologyError(`"${otherwise}" is a branch already`);
  }
  const node = builder.nameOf("split");
  const names = [...Object.keys(branches), ...(otherwise === null ? [] : [otherwise])];
  const children = new Map(names.map((name) => [name, `${node}-${name}`]));
  const conditions = Object.entries(branches).map(([name, holds]) => ({
    child: children.get(name)!,
    // Records of the stream have its types.
    takes: (record: StreamRecord) => holds(record.value as V, record.key as K),
  }));
  const rest = otherwise === null ? null : children.get(otherwise)!;
  const { topology } = builder;
  const supplier = branching(conditions, rest);
  topology.addProcessor({ name: node, parents: [parent], supplier, stores: [] });
  for (const name of children.values()) {
    const pass = stateless((record, forward) => forward(record));
    topology.addProcessor({ name, parents: [node], supplier: pass, stores: [] });
  }
  return children;
}
