/**
 * What members of a group have to have in common: a task is known by the number of its subtopology, so
 * with other numbers, sources or stores a member would process something else under the same name.
 */
import { crc32c } from "../../core/crc32c.ts";
import { subtopologiesOf } from "../topology/subtopologies.ts";
import type { SaidSubscription } from "../assignor/index.ts";
import type { Topology } from "../topology/topology.ts";

/** A checksum of subtopologies with what they read and keep; steps between may be others. */
export function topologyShape(topology: Topology): number {
  const shape = subtopologiesOf(topology).map(({ nodes, sourceTopics, stores }) => {
    const patterns = nodes.flatMap((name) => {
      const node = topology.nodes.get(name);
      return node?.kind === "source" && node.pattern !== undefined ? [String(node.pattern)] : [];
    });
    const logged = stores.filter((name) => topology.stores.get(name)?.isLogged);
    return [[...new Set(sourceTopics)].sort(), patterns.sort(), logged.sort()];
  });
  const bytes = new TextEncoder().encode(JSON.stringify(shape));
  return crc32c(bytes);
}

/** That of the members who have most tasks: they go on. Where nobody has any, the leader's (`own`). */
export function sharedShape(
  members: readonly { readonly said: Pick<SaidSubscription, "shape" | "ownedActive"> }[],
  own: number,
): number {
  const tasks = new Map([[own, 0]]);
  for (const { said: { shape, ownedActive } } of members) {
    tasks.set(shape, (tasks.get(shape) ?? 0) + ownedActive.length);
  }
  return [...tasks].reduce((most, each) => each[1] > most[1] ? each : most)[0];
}
