/** An index of OpenSearch; its one server is killed and begins anew. */
import { needOpenSearch, OpenSearchServer } from "../../servers/opensearch.ts";
import type { Item, SystemKind } from "../system.ts";

const INDEX = "items";
/** More than there are: a search answers with all of them. */
const RESULTS_MAX = 1_000_000;

export const ELASTICSEARCH_SINK: SystemKind = {
  name: "elasticsearch-sink",
  need: needOpenSearch,
  async open() {
    const server = await OpenSearchServer.start();
    await server.ask("PUT", `/${INDEX}`, {
      settings: { "index.max_result_window": RESULTS_MAX, "index.number_of_replicas": 0 },
    });
    return {
      kind: "sink",
      // As its `doc` has it: ids are made of offsets.
      claim: "exactly-once",
      // Documents have no order.
      isOrdered: false,
      config: {
        "connector.class": "elasticsearch-sink",
        "connection.url": server.url,
        "topic.to.external.resource.mapping": `to-sink:${INDEX}`,
        "key.ignore": "true",
        "schema.ignore": "true",
      },
      otherConfig: { "batch.size": "7" },
      outage: { down: () => server.down(), up: () => server.up() },
      setSlow: null,
      read: async () => Object.values(await server.documents(INDEX, RESULTS_MAX)) as Item[],
      close: () => server.stop(),
    };
  },
};
