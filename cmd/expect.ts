/** `kstream expect TOPIC`: whether the records of a topic are as a test expects them. */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { OperatorError } from "../core/operator-error.ts";
import { brokersOption, jsonOption, wholeNumber } from "./admin-command.ts";
import { clientOptions } from "./client.ts";
import { partitionsOf } from "./consume/flags.ts";
import type { CountBounds } from "./expect/checks.ts";
import { EXPRESSIONS_HELP, whereOption } from "./expression-flags.ts";
import { parsePlace, TIMES_HELP, utcOption } from "./time-options.ts";
import { parseDuration } from "./txn/duration.ts";

const COUNT_MAX = Number.MAX_SAFE_INTEGER;

const HELP = `
It ends as soon as enough records have come, all that was there at first is read, and everything
holds; --settle goes on for a while to see one too many. What must not come (--none, --count 0) is
watched for all of --within. Records of open and aborted transactions do not count.

--ordered-by key: the records of each key are in one partition, and their times never go back. With
any other expression its value never goes back among the records of a key. --none looks at all
records, the others at those for which --where holds.

Exit code: 0 as expected, 1 not as expected in time, 2 usage, 3 no broker answered.

Examples:
  kstream expect orders --within 10s --count 3 --where 'v.status === "paid"'
  kstream expect orders --count '>=100' --unique v.id --ordered-by v.seq --junit orders.xml
  kstream expect orders-dlq --count 0 --from end --within 30s
  kstream expect orders -e --none 'v.total < 0' --tap
`;

/** The command, to be added to the tree. */
export function expectCommand(): CommandUnknownOpts {
  return new Command("expect")
    .description("Check that the records of a topic are as expected, or become so in time.")
    .argument("<topic>", "the topic, which may be yet to come")
    .addOption(
      new Option("--within <duration>", "how long to wait, as 10s or 2m")
        .argParser(parseWithin).default(10_000, "10s"),
    )
    .option("-n, --count <records>", "how many: 3, '>=3', '<=3' or 2..5 (default: '>=1')")
    .addOption(
      new Option("--count-min <records>", "at least so many").argParser(wholeNumber(0, COUNT_MAX)),
    )
    .addOption(
      new Option("--count-max <records>", "at most so many").argParser(wholeNumber(0, COUNT_MAX)),
    )
    .addOption(whereOption())
    .option("--key <text>", "only records with this key")
    .addOption(repeated("--ordered-by <expression>", "'key', or what never goes back for a key"))
    .addOption(repeated("--unique <expression>", "what no two records share"))
    .addOption(repeated("--none <expression>", "what holds for no record"))
    .option("--from <place>", "look from here on: start, end, 42, -10 or a time", "start")
    .addOption(utcOption())
    .option("-p, --partition <list>", "only these, with commas between")
    .option("-e, --exit-at-end", "judge what is there now, and wait for no more", false)
    .addOption(
      new Option("--settle <duration>", "look on for so long when all is as expected")
        .argParser(parseDuration).default(0, "not at all"),
    )
    .option("--junit <file>", "write the results as JUnit's XML as well")
    .option("--tap", "print the results in the Test Anything Protocol")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addHelpText("after", EXPRESSIONS_HELP + TIMES_HELP + HELP)
    .action(async (topic, options) => {
      const { within, settle, where, key, orderedBy, unique, none, exitAtEnd } = options;
      const { runExpect } = await import("./expect/run.ts");
      const { parseCount } = await import("./expect/checks.ts");
      if (options.tap && options.json) {
        throw new OperatorError("--tap and --json exclude each other", "", "leave one out", 2);
      }
      const settings = {
        topic,
        client: clientOptions({ ...options, timeout: within / 1000 }),
        from: parsePlace(options.from, options.utc ?? false),
        partitions: partitionsOf(options.partition),
        withinMs: within,
        settleMs: settle,
        exitAtEnd,
        key: key ?? null,
        where,
        count: countOf(options, parseCount, none.length > 0),
        orderedBy,
        unique,
        none,
      };
      const { junit, tap = false, json = false } = options;
      await runExpect(settings, { junit, tap, json });
    });
}

function parseWithin(text: string): number {
  const withinMs = parseDuration(text);
  if (withinMs > 0) return withinMs;
  throw new InvalidArgumentError("It is no time above 0.");
}

function repeated<Flags extends string>(flags: Flags, description: string) {
  return new Option(flags, `${description}; may be repeated`)
    .argParser((text: string, previous: readonly string[]) => [...previous, text])
    .default([] as readonly string[], "none");
}

/** One record at least is expected, unless only what must not come is named. */
function countOf(
  options: {
    count?: string | undefined;
    countMin?: number | undefined;
    countMax?: number | undefined;
  },
  parse: (text: string) => CountBounds | null,
  onlyNone: boolean,
): CountBounds | null {
  const { count, countMin, countMax } = options;
  if (count === undefined) {
    if (countMin === undefined && countMax === undefined) {
      return onlyNone ? null : { min: 1, max: null };
    }
    if (countMax !== undefined && (countMin ?? 0) > countMax) {
      throw new OperatorError("--count-min is above --count-max", "", "exchange them", 2);
    }
    return { min: countMin ?? 0, max: countMax ?? null };
  }
  if (countMin !== undefined || countMax !== undefined) {
    throw new OperatorError("--count does not go with --count-min and --count-max", "", "", 2);
  }
  const bounds = parse(count);
  if (bounds !== null) return bounds;
  throw new OperatorError(
    `--count cannot be read: "${count}"`,
    "",
    "write 3, '>=3', '<=3' or 2..5",
    2,
  );
}
