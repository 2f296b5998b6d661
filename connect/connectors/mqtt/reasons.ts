/** What MQTT brokers say with numbers. */
import { RetriableError } from "../../index.ts";

/** The broker refuses, and would again. */
export class MqttRefusal extends Error {
  override readonly name = "MqttRefusal";
}

/** Reason codes of MQTT 5 and return codes of 3.1.1, where there is something to say of them. */
const REASONS: Readonly<Record<number, string>> = {
  1: "it does not speak this version: see mqtt.version",
  2: "it does not take this mqtt.client.id",
  3: "it is not available",
  4: "mqtt.username and mqtt.password are not right",
  5: "this user may not",
  0x81: "it found a packet malformed",
  0x83: "it has reasons of its own",
  0x84: "it does not speak this version: see mqtt.version",
  0x85: "it does not take this mqtt.client.id",
  0x86: "mqtt.username and mqtt.password are not right",
  0x87: "this user may not",
  0x88: "it is not available",
  0x89: "it is busy",
  0x8a: "this client is banned",
  0x8b: "it shuts down",
  0x8e: "another client has connected with the same mqtt.client.id",
  0x8f: "this is no filter of topics that it takes",
  0x90: "this is no name of a topic that it takes",
  0x95: "the message is too large for it",
  0x97: "a quota is used up",
  0x98: "somebody has ended it",
  0x9b: "it does not support this QoS",
  0x9a: "it does not support retained messages",
  0x9e: "it does not support shared subscriptions",
  0x9f: "it takes no more connections for now",
};

/** What passes by itself. */
const PASSING = new Set([3, 0x88, 0x89, 0x8b, 0x8e, 0x97, 0x9f]);

/** What the broker has refused, as an error that says whether trying again may help. */
export function refusalFrom(
  server: string,
  what: string,
  code: number,
): RetriableError | MqttRefusal {
  const reason = REASONS[code] ?? "it does not say why";
  const hex = code.toString(16).padStart(2, "0");
  const message = `the MQTT broker at ${server}: ${what}: ${reason} (0x${hex})`;
  return PASSING.has(code) ? new RetriableError(message) : new MqttRefusal(message);
}
