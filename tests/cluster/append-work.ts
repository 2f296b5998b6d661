/** The append workload as work on a stage, judged by our own checker and by Porcupine. */
import { createTopic } from "./cluster-topic.ts";
import { linearizabilityProblem, problemsOf } from "./history.ts";
import type { ClusterScene } from "./scene.ts";
import type { Work } from "./stage.ts";
import { Workload } from "./workload.ts";

const PARTITIONS = 6;

/** Prepares it on a topic with that many replicas, of which so many acknowledge. */
export async function appendWork(
  scene: ClusterScene,
  topic: string,
  replicas: Parameters<typeof createTopic>[3] = {},
): Promise<Work> {
  await createTopic(scene, topic, PARTITIONS, replicas);
  const workload = new Workload({
    brokers: scene.bootstrap,
    topic,
    partitions: PARTITIONS,
    appenders: 5,
    readers: 2,
    appendsPerSecond: 100,
  });
  return {
    get acknowledged() {
      return workload.strands.counts;
    },
    get longestPauseMs() {
      return workload.strands.longestPauseMs;
    },
    start: () => workload.start(),
    measurePause: () => workload.strands.measurePause(),
    async finish(keep) {
      const history = await workload.finish();
      keep(history);
      const problems = problemsOf(history);
      if (problems.length > 0) throw new Error(problems.join("\n"));
      const verdict = await linearizabilityProblem(history);
      if (verdict !== null) throw new Error(`Porcupine: ${verdict}`);
      const unknown = history.filter((each) => each.type === "append" && each.offset === null);
      return `${workload.strands.total} acknowledged, ${unknown.length} unknown`;
    },
  };
}
