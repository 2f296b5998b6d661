/** `kstream stream settings`: what an application can be set to. */
import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type StreamsSetting, streamsSettings } from "../../stream/runtime/streams-config.ts";
import { formatTable, print, printJson } from "../output.ts";

/** `names`: only these. Throws `OperatorError` where there is none of a name. */
export async function listSettings(
  names: readonly string[],
  { json }: { readonly json?: true },
): Promise<void> {
  const settings = streamsSettings();
  const shown = names.length === 0 ? settings : names.map((name) => settingOf(name, settings));
  if (json) return await printJson({ settings: shown });
  await print(formatTable(shown, [
    { title: "SETTING", cell: ({ name }) => name },
    { title: "DEFAULT", cell: (setting) => setting.default ?? "-" },
    { title: "WHAT IT IS", cell: ({ about }) => about, whole: true },
    { title: "CAN BE", cell: ({ wants }) => wants },
  ]));
}

function settingOf(name: string, settings: readonly StreamsSetting[]): StreamsSetting {
  const found = settings.find((each) => each.name === name);
  if (found !== undefined) return found;
  const near = didYouMean(name, settings.map((each) => each.name));
  const hint = near === null ? "see kstream stream settings" : `did you mean "${near}"?`;
  throw new OperatorError(`there is no setting "${name}"`, "", hint, 2);
}
