/** Another cluster, whose topic is copied. */
import { startBroker } from "../processes.ts";
import { textOf, valueItems } from "../system.ts";
import type { SystemKind } from "../system.ts";
import { TopicFeed } from "../topics.ts";

const TOPIC = "items";

export const MIRROR_SOURCE: SystemKind = {
  name: "mirror-source",
  need: () => Promise.resolve(null),
  async open({ folder }) {
    const broker = await startBroker(folder, [`${TOPIC}:1`]);
    const feed = new TopicFeed(broker.bootstrap, TOPIC);
    return {
      kind: "source",
      claim: "exactly-once",
      topic: `there.${TOPIC}`,
      config: {
        "connector.class": "mirror-source",
        "source.cluster.alias": "there",
        "source.cluster.bootstrap.servers": broker.bootstrap,
        topics: TOPIC,
        "source.consumer.isolation.level": "read_committed",
        "replication.factor": "1",
        "offset-syncs.topic.replication.factor": "1",
      },
      otherConfig: { "offset.lag.max": "7" },
      outage: { down: () => broker.kill(), up: () => broker.restart() },
      setSlow: null,
      feed: (items) => feed.send(items.map((item) => ({ key: item.key, value: textOf(item) }))),
      feedBad: null,
      itemsOf: valueItems(),
      close: async () => {
        await feed.close();
        await broker.end();
      },
    };
  },
};
