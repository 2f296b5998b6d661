/** Which names topics may have, by Kafka's rules and in its words (`Topic`). */

/** Longest name, so that `name-partition` fits a file name of 255 bytes. */
export const TOPIC_NAME_CHARS_MAX = 249;

/** The log of the controller's metadata; no client may touch it. */
export const CLUSTER_METADATA_TOPIC = "__cluster_metadata";
export const GROUP_METADATA_TOPIC = "__consumer_offsets";
export const TRANSACTION_STATE_TOPIC = "__transaction_state";
export const SHARE_GROUP_STATE_TOPIC = "__share_group_state";

/** What is wrong with a topic name, or null. */
export function topicNameProblem(name: string): string | null {
  const invalid = (why: string) => `Topic name is invalid: ${why}`;
  if (name === "") return invalid("the empty string is not allowed");
  if (name === "." || name === "..") return invalid(`'${name}' is not allowed`);
  if (name.length > TOPIC_NAME_CHARS_MAX) {
    return invalid(
      `the length of '${name}' is longer than the max allowed length ${TOPIC_NAME_CHARS_MAX}`,
    );
  }
  return /^[a-zA-Z0-9._-]+$/.test(name) ? null : invalid(
    `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`,
  );
}

/** Whether the topic belongs to a coordinator: clients see it, only coordinators write it. */
export function isInternalTopic(name: string): boolean {
  return name === GROUP_METADATA_TOPIC || name === TRANSACTION_STATE_TOPIC ||
    name === SHARE_GROUP_STATE_TOPIC;
}
