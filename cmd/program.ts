/**
 * The command tree and how a run of it ends: commands are loaded when they are asked for, and every
 * failure becomes one line on stderr (what, why, what to do) and an exit code. 0 done, 1 failed,
 * 2 usage, 3 unreachable or timed out, 4 partly delivered or range incomplete.
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { didYouMean } from "../core/did-you-mean.ts";
import { OperatorError } from "../core/operator-error.ts";
import { chooseColor, colorOfArguments, hasColor, paint } from "./color.ts";
import { addCommands, COMMANDS, loadCommand, pathOf } from "./commands.ts";
import { COMPLETE_WORD } from "./completion/complete-word.ts";
import { HOST_WORD } from "./connect/hosts/host-word.ts";
import { fitHelp, HELP } from "./help.ts";
import { withoutLeading } from "./leading-options.ts";
import { print, terminalWidth } from "./output.ts";
import { applySettings, unknownVariables } from "./settings.ts";
import { say } from "./terminal.ts";

const EXAMPLES = `
Examples:
  kstream serve                                  a broker on 127.0.0.1:9092, data in ./data
  kstream topic create orders -p 3               a topic with three partitions
  kstream produce orders < orders.txt            every line becomes a record
  kstream consume orders -e | head               and back
  kstream consume orders -g billing              as a group, which remembers where it was
  kstream group describe billing                 members and lag

Every option can be given in the environment (--brokers as KSTREAM_BROKERS), in kstream.toml in
the current directory (KSTREAM_TOML names another) under [serve], [topic.create] and so on, with
brokers = "host:port" at the top for all commands, and in a profile (kstream profile). Flags win
over the environment, that over the file, that over the profile; "kstream settings explain" says
which did. --profile, --brokers and --color may also stand before the command. "kstream help topic
create" explains one command.

Exit codes: 0 done, 1 failed, 2 usage, 3 unreachable or timed out, 4 partly delivered or range
incomplete.`;

/** Runs one command line (without program name) and returns the exit code. */
export async function runProgram(argv: readonly string[], version: string): Promise<number> {
  if (argv[0] === COMPLETE_WORD) return await (await import("./completion/answer.ts")).answer(argv);
  if (argv[0] === HOST_WORD) {
    return await (await import("./connect/hosts/host-process.ts")).runHost();
  }
  chooseColor(colorOfArguments(argv));
  endOnStrayErrors();
  try {
    const names = COMMANDS.map(({ name }) => name);
    await runCommand(withoutHelpCommand(withoutLeading(argv, names)), version);
    return 0;
  } catch (error) {
    return await reportFailure(error);
  }
}

/** An error that nobody handles is a bug; `serve` puts its own listeners in the place of these. */
function endOnStrayErrors(): void {
  const end = (error: unknown) => process.exit(reportBug(error));
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}

async function runCommand(args: readonly string[], version: string): Promise<void> {
  const refused: Refusal = { command: null, message: "" };
  const help: string[] = [];
  const program = await buildProgram(args, version);
  listen(program, refused, help);
  try {
    // Without any command, help is what is asked for.
    await program.parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, refused);
    await print(fitHelp(help.join(""), terminalWidth()));
  }
}

/** The command whose arguments commander refused, and its words. */
interface Refusal {
  command: CommandUnknownOpts | null;
  message: string;
}

/** `kstream help topic create` is `kstream topic create --help`. */
function withoutHelpCommand(argv: readonly string[]): string[] {
  return argv[0] === "help" ? [...argv.slice(1), "--help"] : [...argv];
}

/** The tree with the asked command loaded; the others only with what `--help` shows of them. */
async function buildProgram(args: readonly string[], version: string): Promise<CommandUnknownOpts> {
  const first = args[0];
  if (first !== undefined && !first.startsWith("-")) {
    const names = COMMANDS.map(({ name }) => name);
    if (!names.includes(first)) throw unknownCommand(first, names);
  }
  const program = new Command("kstream")
    .description("A Kafka-compatible streaming platform in one binary.")
    .usage("<command> [options]")
    .version(version, "-V, --version", "print the version")
    .helpCommand("help [command]", "explain a command")
    .enablePositionalOptions()
    .addHelpText("after", EXAMPLES)
    .hook("preAction", async (_program, action) => {
      await warnOfUnknownVariables(action);
      const { warnings } = await applySettings(action);
      for (const warning of warnings) warn(warning);
      chooseColor(action.getOptionValue("color"));
    });
  await addCommands(program, first ?? "");
  return program;
}

/** The other commands are loaded only if a variable is none of this command's. */
async function warnOfUnknownVariables(command: CommandUnknownOpts): Promise<void> {
  if (unknownVariables(process.env, [command]).length === 0) return;
  const all = await Promise.all(COMMANDS.map(loadCommand));
  for (const warning of unknownVariables(process.env, all)) warn(warning);
}

function unknownCommand(word: string, names: readonly string[]): OperatorError {
  const near = didYouMean(word, names);
  const hint = near === null ? 'see "kstream --help"' : `did you mean "kstream ${near}"?`;
  return new OperatorError(`there is no command "${word}"`, "", hint, 2);
}

/** No command of the tree ends the process or writes errors by itself. */
function listen(command: CommandUnknownOpts, refused: Refusal, help: string[]): void {
  command.exitOverride();
  command.configureHelp(HELP);
  command.helpOption("-h, --help", "explain the command");
  command.configureOutput({
    getOutHasColors: () => hasColor(process.stdout.isTTY),
    writeOut: (text) => help.push(text),
    writeErr: () => {
      refused.command ??= command;
    },
    outputError: (message) => {
      refused.command ??= command;
      refused.message ||= message;
    },
  });
  for (const child of command.commands) listen(child, refused, help);
}

/** What commander says, as one line that names the command. */
function usageError(error: CommanderError, refused: Refusal): OperatorError {
  // Commander wants to show the help of a command that only has subcommands.
  const said = error.code === "commander.help" ? "a subcommand is missing" : error.message;
  const lines = (refused.message || said).split("\n");
  const text = lines.map((line) => line.trim()).join(" ").trim().replace(/^error: /, "");
  const near = /^(.*?) ?\(Did you mean (?:one of )?(.*)\?\)$/.exec(text);
  if (near !== null) {
    const what = (near[1] ?? "").replace(/\.$/, "");
    return new OperatorError(what, "", `did you mean ${near[2]}?`, 2);
  }
  const path = refused.command === null ? "kstream" : pathOf(refused.command);
  return new OperatorError(text.replace(/\.$/, ""), "", `see "${path} --help"`, 2);
}

async function reportFailure(error: unknown): Promise<number> {
  // Several things may fail one by one, as in `topic delete a b c`.
  if (error instanceof AggregateError) {
    const codes: number[] = [];
    for (const each of error.errors) codes.push(await reportFailure(each));
    return Math.max(...codes);
  }
  if (error instanceof OperatorError) return report(error);
  const { toOperatorError } = await import("./client.ts");
  const known = toOperatorError(error);
  if (known !== null) return report(known);
  return reportBug(error);
}

/** With `KSTREAM_DEBUG=1` also where it happened. */
function reportBug(error: unknown): number {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  say(`${paint("bad", "kstream:", "stderr")} internal error: ${oneLine(message)}: please report`);
  if (process.env["KSTREAM_DEBUG"] === "1" && error instanceof Error) {
    say(error.stack ?? "no stack");
  }
  return 1;
}

function report(error: OperatorError): number {
  say(`${paint("bad", "kstream:", "stderr")} ${oneLine(error.message)}`);
  if (error.excerpt !== "") say(error.excerpt);
  return error.exitCode;
}

function warn(warning: string): void {
  say(`${paint("notice", "kstream:", "stderr")} ${warning}`);
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}
