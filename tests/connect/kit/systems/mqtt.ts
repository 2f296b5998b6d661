/** An MQTT broker: a topic that is read, one that is written. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MosquittoServer, needMosquitto } from "../../servers/mosquitto.ts";
import { textOf, valueItems } from "../system.ts";
import type { SystemKind } from "../system.ts";
import { itemsOf } from "./files.ts";

const CLIENT = "kit-source";

async function start() {
  const server = await MosquittoServer.start();
  return {
    server,
    parts: {
      // It acknowledges before it saves, so that a kill would be its own loss.
      outage: { down: () => server.end(), up: () => server.up() },
      setSlow: (isSlow: boolean) => isSlow ? server.freeze() : server.thaw(),
      close: () => server.stop(),
    },
  };
}

export const MQTT_SOURCE: SystemKind = {
  name: "mqtt-source",
  need: needMosquitto,
  async open() {
    const { server, parts } = await start();
    // Its session is there before the first message; until then messages go to nobody.
    await server.subscribe("-i", CLIENT, "-c", "-t", "in", "-E");
    const publish = async (lines: readonly string[]) => {
      while (!await server.publish("in", lines).then(() => true, () => false)) await Bun.sleep(50);
    };
    return {
      ...parts,
      kind: "source",
      claim: "at-least-once",
      topic: "of-mqtt",
      config: {
        "connector.class": "mqtt-source",
        ...server.config,
        "mqtt.client.id": CLIENT,
        "mqtt.topics": "in",
        "kafka.topic": "of-mqtt",
        "bad.messages": "skip",
        "mqtt.connect.timeout.seconds": "2",
      },
      otherConfig: { "batch.size": "7" },
      feed: (items) => publish(items.map(textOf)),
      feedBad: () => publish(["{no JSON"]),
      itemsOf: valueItems(),
    };
  },
};

export const MQTT_SINK: SystemKind = {
  name: "mqtt-sink",
  need: needMosquitto,
  async open({ folder }) {
    const { server, parts } = await start();
    const heard = join(folder, "heard");
    await server.subscribe("-i", "kit-listener", "-c", "-t", "out", "-E");
    const listener = server.listen(heard, "-i", "kit-listener", "-c", "-t", "out");
    return {
      ...parts,
      kind: "sink",
      claim: "at-least-once",
      config: {
        "connector.class": "mqtt-sink",
        ...server.config,
        "mqtt.topic": "out",
        "mqtt.connect.timeout.seconds": "2",
      },
      otherConfig: { "mqtt.inflight.max": "7" },
      read: () => Promise.resolve(existsSync(heard) ? itemsOf(readFileSync(heard, "utf8")) : []),
      close: async () => {
        listener.kill();
        await parts.close();
      },
    };
  },
};
