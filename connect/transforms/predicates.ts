/** What transforms can be bound to: `HasHeaderKey`, `RecordIsTombstone`, `TopicNameMatches`. */
import { string } from "../config/fields.ts";
import { definePredicate } from "./definition.ts";
import type { PredicateDefinition } from "./definition.ts";
import { regexOf, regexProblem } from "./routers.ts";

const notEmpty = (text: string) => text === "" ? "must not be empty" : null;

/** All of them. */
export const PREDICATES: readonly PredicateDefinition[] = [
  definePredicate({
    name: "HasHeaderKey",
    doc: "True for records with a header of a name.",
    config: { name: string().check(notEmpty).doc("The name of the header.") },
    make: (config) => ({
      test: ({ headers }) => headers.some(({ name }) => name === config.name),
    }),
  }),
  definePredicate({
    name: "RecordIsTombstone",
    doc: "True for records whose value is null.",
    config: {},
    make: () => ({ test: ({ value }) => value === null }),
  }),
  definePredicate({
    name: "TopicNameMatches",
    doc: "True for records whose topic matches a regular expression.",
    config: {
      pattern: string().check((text) => notEmpty(text) ?? regexProblem(text)).doc(
        "The regular expression, in RE2's syntax. All of the topic's name has to match.",
      ),
    },
    make: ({ pattern }) => {
      const regex = regexOf(pattern);
      return { test: ({ topic }) => regex.matches(topic) };
    },
  }),
];
