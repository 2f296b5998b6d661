/** How our REST API answers otherwise than Kafka's, and why. */
import type { Explained } from "./compare.ts";

export const EXPLAINED: readonly Explained[] = [
  {
    step: /^root$/,
    path: /^\.body\.(version|commit|kafka_cluster_id)$/,
    why: "each side tells of itself and of its cluster",
  },
  {
    step: /plugins$/,
    path: /^\.body(\[\d+\]\.class)?$/,
    why: "classes have our names; Kafka lists its transforms and converters by their classes",
  },
  {
    step: /^tasks$/,
    path: /\.task\.class$/,
    why: "a connector of ours is one module: its tasks have no class",
  },
  {
    step: /^expand (status|both)$/,
    path: /\.worst_state$/,
    why: "ours besides: the state that says how bad things are, tasks included",
  },
  {
    step: /^(patch to what is wrong|nothing needed is there|no name|no class|no such class)$/,
    path: /^\.body\.message$/,
    why: "other words; a config is not quoted whole, since there may be passwords in it",
  },
  {
    step: /^(an offset below zero|no offset of the sink's form)$/,
    path: /^\.(status|body\.error_code|body\.message)$/,
    why: "what is wrong with the request is 400, and says what would be right",
  },
  {
    step: /^validate without a class$/,
    path: /^\.(status|body\.error_code|body\.message)$/,
    why: "what is wrong with the request is 400; Kafka wraps its own 400 into a 500",
  },
  {
    step: /^(no config|no such state|no JSON|JSON of another form)$/,
    path: /^\.(status|body\.error_code|body\.message)$/,
    why: "what is wrong with the request is 400; Kafka fails with the words of its JSON library",
  },
  {
    step: /^(validate (what|a transform)|definitions$)/,
    path: /^\.body(\.groups|\.configs|\.error_count)?$/,
    why: "the fields are those of our connectors: `file` is needed; Kafka has versions of plugins",
  },
  {
    step: /^definitions of (json|storage)/,
    path: /^\.body$/,
    why: "Kafka's converters have `converter.type`, which is for itself",
  },
  {
    step: /^definitions of transforms/,
    path: /\.documentation$/,
    why: "names, types, defaults and importance are Kafka's, words are ours",
  },
  {
    step: /^(levels|the root|set it|it is set)$/,
    path: /^\.body/,
    why: "loggers are `root` and `connect.…`, not classes; the root's level is INFO",
  },
];
