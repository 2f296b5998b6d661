/**
 * A connector's config as a form that is made of what its plugin says of its settings. It is validated
 * as it is typed, by the worker; transforms that are named bring their settings with them.
 */
import { useEffect, useState } from "preact/hooks";
import { ConfigField } from "../components/config-field.tsx";
import { Field, Form } from "../components/form.tsx";
import { Loading, ProblemNote } from "../components/notes.tsx";
import { asProblem, parseJson, Problem } from "../data/api.ts";
import {
  askConnect,
  type ConfigInfos,
  connectAt,
  type ConnectConfig,
  type FieldInfo,
  isReference,
} from "../data/connect.ts";
import { plural } from "../data/format.ts";
import { useSettled } from "../data/use-resource.ts";

/** What is typed is validated when nothing has been typed for so long. */
const SETTLED_MS = 600;
/** Fields that stand elsewhere. */
const ELSEWHERE: readonly string[] = ["name", "connector.class"];
const HIDDEN = "[hidden]";

interface Validated {
  readonly infos: ConfigInfos | null;
  readonly problem: Problem | null;
}

/** What the worker says of a config. */
function useValidation(plugin: string, config: ConnectConfig): Validated {
  const [state, setState] = useState<Validated>({ infos: null, problem: null });
  const key = useSettled(JSON.stringify(config), SETTLED_MS);
  useEffect(() => {
    const abort = new AbortController();
    const validate = async () => {
      try {
        const url = connectAt(["connector-plugins", plugin, "config", "validate"]);
        // Workers answer in the forms of Kafka Connect 4.3.
        const infos = await askConnect("PUT", url, parseJson(key), abort.signal) as ConfigInfos;
        setState({ infos, problem: null });
      } catch (error) {
        if (!abort.signal.aborted) {
          setState(({ infos }) => ({ infos, problem: asProblem(error) }));
        }
      }
    };
    void validate();
    return () => abort.abort();
  }, [plugin, key]);
  return state;
}

/** What of a config has been typed, what the worker says of it, and what is not to be shown. */
function useDraft(plugin: string, before: ConnectConfig) {
  const [config, setConfig] = useState<ConnectConfig>(before);
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set(Object.keys(before)));
  const { infos, problem } = useValidation(plugin, {
    ...config,
    name: config["name"] || "new",
    "connector.class": plugin,
  });
  const set = (name: string, value: string) => {
    setTouched(new Set([...touched, name]));
    const { [name]: _, ...others } = config;
    setConfig(value === "" ? others : { ...others, [name]: value });
  };
  const secrets = new Set(
    (infos?.configs ?? []).flatMap(({ definition }) =>
      definition?.type === "PASSWORD" ? [definition.name] : []
    ),
  );
  const isKept = (name: string) =>
    secrets.has(name) && config[name] !== undefined && config[name] === before[name] &&
    !isReference(config[name]);
  return { config, setConfig, set, touched, infos, problem, isKept };
}

export function ConnectorForm({ plugin, before, action, isReadOnly = false, onSave, children }: {
  plugin: string;
  /** What it was so far, `name` and class included. */
  before: ConnectConfig;
  action: string;
  isReadOnly?: boolean;
  onSave: (config: ConnectConfig) => Promise<void>;
  children?: preact.ComponentChildren;
}) {
  const draft = useDraft(plugin, before);
  const { config, infos, problem, isKept } = draft;
  const [isText, setText] = useState(false);
  const [isTried, setTried] = useState(false);
  const save = async () => {
    setTried(true);
    const errors = infos?.configs.flatMap(({ value }) => value.errors) ?? [];
    if (errors.length > 0) {
      throw new Problem(400, "It cannot be taken", `${plural(errors.length, "setting")} to mend`);
    }
    await onSave(config);
  };
  if (infos === null) {
    return problem === null ? <Loading /> : <ProblemNote problem={problem} />;
  }
  return (
    <Form action={action} onSubmit={save} isDisabled={isReadOnly}>
      {children}
      <div class="row">
        <button type="button" aria-pressed={!isText} onClick={() => setText(false)}>Form</button>
        <button type="button" aria-pressed={isText} onClick={() => setText(true)}>JSON</button>
        <span class="count" role="status">{verdict(infos, problem)}</span>
      </div>
      {isText
        ? (
          <JsonConfig
            config={config}
            isHidden={isKept}
            isReadOnly={isReadOnly}
            onChange={(next) => {
              setTried(true);
              draft.setConfig(next);
            }}
          />
        )
        : (
          <Settings
            infos={infos.configs}
            config={config}
            before={before}
            isKept={isKept}
            isShown={(name) => isTried || draft.touched.has(name)}
            isReadOnly={isReadOnly}
            onChange={draft.set}
          />
        )}
      {(isText || isTried) && <Errors infos={infos} />}
    </Form>
  );
}

function verdict({ error_count }: ConfigInfos, problem: Problem | null): string {
  if (problem !== null) return problem.detail;
  return error_count === 0 ? "The worker finds it well." : `${error_count} to mend.`;
}

function Errors({ infos }: { infos: ConfigInfos }) {
  const errors = infos.configs.flatMap(({ value }) => value.errors);
  if (errors.length === 0) return null;
  return (
    <ul class="problem list" aria-label="What is wrong">
      {errors.map((error) => <li key={error}>{error}</li>)}
    </ul>
  );
}

function Settings({ infos, config, before, isKept, isShown, isReadOnly, onChange }: {
  infos: readonly FieldInfo[];
  config: ConnectConfig;
  before: ConnectConfig;
  isKept: (name: string) => boolean;
  isShown: (name: string) => boolean;
  isReadOnly: boolean;
  onChange: (name: string, value: string) => void;
}) {
  const known = new Set(infos.map(({ value }) => value.name));
  const others = Object.keys(config).filter((name) => !known.has(name));
  const all = [...infos, ...others.map(unknownField)]
    .filter(({ value: { name } }) => !ELSEWHERE.includes(name));
  const groups = [...Map.groupBy(all, (info) => groupOf(info, before))];
  const first = groups.find(([group]) => group === "")?.[1] ?? [];
  const field = (info: FieldInfo) => {
    const { name, errors } = info.value;
    return (
      <ConfigField
        key={name}
        info={info}
        value={config[name]}
        isKept={isKept(name)}
        errors={isShown(name) ? errors : []}
        isReadOnly={isReadOnly}
        onChange={(value) => onChange(name, value)}
      />
    );
  };
  return (
    <>
      <div class="settings">{first.map(field)}</div>
      {groups.filter(([group]) => group !== "").map(([group, fields]) => (
        <details key={group} class="panel" open={/^(Transforms|Predicates): /.test(group)}>
          <summary>{group}</summary>
          <div class="settings">{fields.map(field)}</div>
        </details>
      ))}
    </>
  );
}

/** Empty: in front. What is typed meanwhile moves nothing. */
function groupOf({ definition, value: { name } }: FieldInfo, before: ConnectConfig): string {
  if (definition === null) return "Others";
  const isOwn = definition.group !== null && /^(Transforms|Predicates): /.test(definition.group);
  if (isOwn) return definition.group ?? "";
  const isOfConverter = /^(key|value|header)\.converter/.test(name);
  if (isOfConverter && !Object.hasOwn(before, name)) return "Converters";
  const isFirst = definition.required || definition.importance === "HIGH" ||
    Object.hasOwn(before, name);
  return isFirst ? "" : definition.group ?? "Further settings";
}

function unknownField(name: string): FieldInfo {
  return { definition: null, value: { name, value: null, recommended_values: [], errors: [] } };
}

function JsonConfig({ config, isHidden, isReadOnly, onChange }: {
  config: ConnectConfig;
  isHidden: (name: string) => boolean;
  isReadOnly: boolean;
  onChange: (config: ConnectConfig) => void;
}) {
  const shown = Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, isHidden(name) ? HIDDEN : value]),
  );
  const [text, setText] = useState(JSON.stringify(shown, null, 2));
  const [isWrong, setWrong] = useState(false);
  const take = (json: string) => {
    setText(json);
    const parsed = parseJson(json);
    const isMap = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed) &&
      Object.values(parsed).every((value) => typeof value === "string");
    setWrong(!isMap);
    if (!isMap) return;
    const entries = Object.entries(parsed).map(([name, value]) => [
      name,
      value === HIDDEN ? config[name] ?? "" : String(value),
    ]);
    onChange(Object.fromEntries(entries));
  };
  return (
    <Field name="The config as JSON: names and texts">
      <textarea
        rows={18}
        spellcheck={false}
        disabled={isReadOnly}
        aria-invalid={isWrong}
        value={text}
        onInput={(event) => take(event.currentTarget.value)}
      />
      {isWrong && <span class="bad" role="alert">This is no JSON of names and texts.</span>}
    </Field>
  );
}
