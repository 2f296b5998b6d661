/**
 * The one thing that the coordinator reads of consumers' own protocol: which topics a subscription
 * names. Version 0 is a prefix of every version of ConsumerProtocolSubscription:
 *
 *     int16 version | int32 count | count × (int16 length | UTF-8 bytes) | …
 */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The topics of a subscription, or null if the bytes are none (an assignor may send anything). */
export function subscribedTopicsOf(subscription: Uint8Array): string[] | null {
  const view = new DataView(
    subscription.buffer,
    subscription.byteOffset,
    subscription.byteLength,
  );
  if (view.byteLength < 6 || view.getInt16(0) < 0) return null;
  const count = view.getInt32(2);
  let position = 6;
  if (count < 0 || count > (view.byteLength - position) / 2) return null;
  const topics: string[] = [];
  for (let index = 0; index < count; index++) {
    if (position + 2 > view.byteLength) return null;
    const length = view.getInt16(position);
    position += 2;
    if (length < 0 || position + length > view.byteLength) return null;
    try {
      topics.push(utf8.decode(subscription.subarray(position, position + length)));
    } catch {
      return null;
    }
    position += length;
  }
  return topics;
}
