/**
 * Transactions, a group and a share group on whole brokers of which each is lost in turn, as soon as
 * all is whole again; and on one broker that becomes three, of which the first is killed: nobody has to
 * be helped, and nothing is lost or comes twice that must not.
 */
import { expect, test } from "bun:test";
import { alterReassignments } from "../../client/admin/reassignments.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { SESSION_MS, Story } from "./cluster-story.ts";

/** How a broker is lost, and comes back. */
interface Loss {
  begin(node: ClusterNode): void;
  end(node: ClusterNode): void;
}

const KILLED: Loss = {
  begin: (node) => {
    node.isHeldDown = true;
    node.kill();
  },
  end: (node) => {
    node.isHeldDown = false;
    node.start();
  },
};
const STOPPED: Loss = {
  begin: (node) => node.host.stop(),
  end: (node) => node.host.resume(),
};

const KILLED_MS = 3000;
/** One that is killed is seen to be gone. Of one that is silent a session has to end. */
const LOSSES = [
  ["killed", KILLED, KILLED_MS],
  ["stopped", STOPPED, SESSION_MS + 2000],
] as const;

for (const [how, loss, limitMs] of LOSSES) {
  test(`who works with coordinators rides through brokers that are ${how}`, () => {
    const story = new Story(3);
    story.begin();
    for (const node of [...story.nodes, ...story.nodes]) {
      story.whole(3);
      loss.begin(node);
      story.goOn(`work without broker ${node.id}`, limitMs);
      loss.end(node);
    }
    story.whole(3);
    story.end();
  }, 120_000);
}

test("one node becomes three, and the first is killed", () => {
  const story = new Story(1, { minInsync: 1 });
  const first = story.nodes[0]!;
  story.begin();
  story.whole(1);
  for (const node of story.nodes) KILLED.end(node);
  story.until("three brokers", 10_000, () => story.areUp());
  // Coordinators' topics are raised by the controller, what clients have made by who has made it.
  const admin = story.admin();
  const wanted = ["lists", "shared"].flatMap((topic) =>
    [0, 1, 2].map((partition) => ({ topic, partition, replicas: [1, 2, 3] }))
  );
  const moved = story.wait("reassignments", 10_000, alterReassignments(admin.cluster, wanted));
  expect(moved.filter(({ error }) => error !== null)).toEqual([]);
  admin.close();
  story.whole(3);
  story.goOn("work on three", 5000);
  KILLED.begin(first);
  story.goOn("work without the first broker", KILLED_MS);
  story.end();
}, 120_000);
