/** What sources and sinks make of their settings alike. */
import type { QoS } from "mqtt-packet";
import type { MqttConfig } from "./connection.ts";

export function clientIdOf(config: MqttConfig, connector: string, task: number): string {
  return config["mqtt.client.id"]
    .replaceAll("{connector}", () => connector)
    .replaceAll("{task}", String(task));
}

export function qosOf(text: "0" | "1" | "2"): QoS {
  return text === "0" ? 0 : text === "1" ? 1 : 2;
}
