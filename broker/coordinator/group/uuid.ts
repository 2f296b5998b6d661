import type { Random } from "../../../core/io.ts";

/** A random UUID in Kafka's text form: 22 characters of base64url, the first of them no dash. */
export function kafkaUuid(random: Random): string {
  for (;;) {
    const text = Buffer.from(random.bytes(16)).toString("base64url");
    if (!text.startsWith("-")) return text;
  }
}

/** A random UUID (version 4) in its usual text form. */
export function uuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    .join("-");
}
