/** `kstream completion`: prints what makes a shell complete; the answers are in `completion/`. */
import { Argument, Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { print } from "./output.ts";

const HELP = `
Topics, groups and transactional ids are asked from the cluster that the command would go to, for
at most 0.3 seconds; where none answers, nothing is offered.

Examples:
  eval "$(kstream completion bash)"                                        # in ~/.bashrc
  eval "$(kstream completion zsh)"                                         # in ~/.zshrc, after compinit
  kstream completion fish > ~/.config/fish/completions/kstream.fish`;

/** The command. */
export function completionCommand(): CommandUnknownOpts {
  return new Command("completion")
    .description("Print what makes a shell complete commands, options, topics and groups.")
    .addArgument(new Argument("<shell>", "which one").choices(["bash", "zsh", "fish"] as const))
    .addHelpText("after", HELP)
    .action(async (shell) => {
      const { SCRIPTS } = await import("./completion/scripts.ts");
      await print(SCRIPTS[shell]);
    });
}
