/** Forms in dialogs: fields, and a button that does something once and says how it went. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { asProblem, type Problem } from "../data/api.ts";
import { ProblemNote } from "./notes.tsx";

/** A field with its name above. */
export function Field({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <label class="field">
      {name}
      {children}
    </label>
  );
}

/** A choice of a few, each with its value and what is said of it. */
export function Select<T extends string>({ name, value, options, onChange }: {
  name: string;
  value: T;
  options: readonly (readonly [value: T, words: string])[];
  onChange: (value: T) => void;
}) {
  return (
    <Field name={name}>
      <select
        value={value}
        onChange={(event) => {
          const chosen = options.find(([each]) => each === event.currentTarget.value);
          if (chosen !== undefined) onChange(chosen[0]);
        }}
      >
        {options.map(([each, words]) => <option key={each} value={each}>{words}</option>)}
      </select>
    </Field>
  );
}

/** A form; while `onSubmit` is under way it cannot be sent again, and what it throws is shown. */
export function Form({ action, onSubmit, children, isDanger = false, isDisabled = false }: {
  /** What the button says. */
  action: string;
  onSubmit: () => Promise<void>;
  children: ComponentChildren;
  isDanger?: boolean;
  isDisabled?: boolean;
}) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await onSubmit();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isBusy) void submit();
      }}
    >
      {children}
      <ProblemNote problem={problem} />
      <div class="row">
        <button type="submit" class={isDanger ? "danger" : "main"} disabled={isBusy || isDisabled}>
          {action}
        </button>
      </div>
    </form>
  );
}

/** A form that destroys something: its name has to be typed. */
export function TypedConfirmation({ name, action, onConfirm, children }: {
  name: string;
  action: string;
  onConfirm: () => Promise<void>;
  children: ComponentChildren;
}) {
  const [typed, setTyped] = useState("");
  return (
    <Form action={action} isDanger isDisabled={typed !== name} onSubmit={onConfirm}>
      {children}
      <Field name={`Type ${name} to go on`}>
        <input value={typed} autoComplete="off" onInput={(e) => setTyped(e.currentTarget.value)} />
      </Field>
    </Form>
  );
}
