/**
 * What brokers of this program tell one another in BrokerRegistration beyond Kafka's fields, as tagged
 * fields (KIP-482), which others pass over.
 */
import type { UnknownTag } from "../../core/protocol/schema.ts";

/** In the request: the machine that the broker is on. */
export const HOST_TAG = 10_000;
/** In the response: a sentence that says why the broker is refused. */
export const MESSAGE_TAG = 10_001;

/** The tagged field with this text. */
export function taggedText(tag: number, text: string): UnknownTag {
  return { tag, bytes: new TextEncoder().encode(text) };
}

/** The text in the tagged field, or null if there is none. */
export function textOfTag(
  { unknownTags }: { readonly unknownTags?: readonly UnknownTag[] },
  tag: number,
): string | null {
  const found = unknownTags?.find((each) => each.tag === tag);
  return found === undefined ? null : new TextDecoder().decode(found.bytes);
}
