/**
 * The file that says that a data directory was closed in good order, with the epoch of the registration
 * under which the broker did that (Kafka's `CleanShutdownFileHandler`; KIP-966).
 */

/** The text of the file. */
export function cleanShutdownText(brokerEpoch: number): string {
  return JSON.stringify({ version: 0, brokerEpoch });
}

/** The epoch in the file; −1 if it tells none. */
export function cleanShutdownEpoch(text: string): number {
  const found = /"brokerEpoch":\s*(\d{1,15})\b/.exec(text);
  return found === null ? -1 : Number(found[1]);
}
