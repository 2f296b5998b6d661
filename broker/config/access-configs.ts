/** The configs of the authorizer (Kafka's `StandardAuthorizer`). */

/** The only value of `authorizer.class.name` that is served. */
export const STANDARD_AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/** `User:alice;User:bob` as names; Kafka's separator is the semicolon, for names hold commas. */
export function superUsersOf(text: string): string[] {
  return text.split(";").map((name) => name.trim()).filter((name) => name !== "");
}

/** What is wrong with `super.users`, or null. */
export function superUsersProblem(text: string): string | null {
  const bad = superUsersOf(text).find((name) => !/^[^:]+:./.test(name));
  return bad === undefined
    ? null
    : `Invalid value ${text} for configuration super.users: ${bad} is no principal, ` +
      "write them as User:alice;User:bob";
}
