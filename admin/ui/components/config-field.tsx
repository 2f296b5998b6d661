/** One setting of a connector as a field of a form: by its type, with its words and what is wrong. */
import { useId } from "preact/hooks";
import { type FieldInfo, isReference } from "../data/connect.ts";

const WARNING = "As it is, it would be kept in the config topic: write ${env:NAME} or " +
  "${file:PATH:KEY} instead.";

export interface ConfigFieldOptions {
  readonly info: FieldInfo;
  /** Undefined: it is not given. */
  readonly value: string | undefined;
  /** A secret that was there before; it is never shown. */
  readonly isKept: boolean;
  readonly errors: readonly string[];
  readonly isReadOnly: boolean;
  readonly onChange: (value: string) => void;
}

export function ConfigField(
  { info, value, isKept, errors, isReadOnly, onChange }: ConfigFieldOptions,
) {
  const id = useId();
  const { definition, value: { name, recommended_values: choices } } = info;
  const isSecret = definition?.type === "PASSWORD";
  const words = definition?.documentation ?? "";
  const shown = isKept ? "" : value ?? "";
  const common = {
    id,
    disabled: isReadOnly,
    "aria-describedby": `${id}-words`,
    "aria-invalid": errors.length > 0,
    required: definition?.required === true && !isKept,
  };
  const options = definition?.type === "BOOLEAN" ? ["true", "false"] : choices;
  const fallback = definition?.default_value ?? "";
  return (
    <div class="setting">
      <label for={id}>
        <span class="mono">{name}</span>
        {definition?.required === true && <span class="note">needed</span>}
      </label>
      {options.length > 0 && (shown === "" || options.includes(shown))
        ? (
          <select
            {...common}
            value={shown}
            onChange={(event) => onChange(event.currentTarget.value)}
          >
            <option value="">{fallback === "" ? "not given" : `default: ${fallback}`}</option>
            {options.map((each) => <option key={each} value={each}>{each}</option>)}
          </select>
        )
        : (shown.includes("\n")
          ? (
            <textarea
              {...common}
              rows={4}
              value={shown}
              onInput={(event) => onChange(event.currentTarget.value)}
            />
          )
          : (
            <input
              {...common}
              class={isSecret && !shown.startsWith("$") ? "masked" : ""}
              autoComplete="off"
              spellcheck={false}
              placeholder={isKept ? "set, and not shown" : isSecret ? "${env:NAME}" : fallback}
              value={shown}
              onInput={(event) => onChange(event.currentTarget.value)}
            />
          ))}
      <p id={`${id}-words`} class="words">
        {words}
        {isSecret && !isKept && shown !== "" && !isReference(shown) && (
          <strong class="warn note">{WARNING}</strong>
        )}
      </p>
      {errors.map((error) => <p key={error} class="bad words">{error}</p>)}
    </div>
  );
}
