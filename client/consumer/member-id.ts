import type { Random } from "../../core/io.ts";

/** A random id for a member, in the form of Kafka's `Uuid`: 16 bytes in base64url (KIP-1082). */
export function memberIdOf(random: Random): string {
  const bytes = random.bytes(16);
  // As Kafka's own, it does not begin with a dash, which shells would take for an option.
  bytes[0]! &= 0x7f;
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
