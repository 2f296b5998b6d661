/** How much the workers log of a connector. */
import { useState } from "preact/hooks";
import { Form, Select } from "../components/form.tsx";
import { Loading, ProblemNote } from "../components/notes.tsx";
import { askConnect, connectAt, useConnect } from "../data/connect.ts";

const LEVELS = ["ERROR", "WARN", "INFO", "DEBUG"] as const;
type Level = typeof LEVELS[number];

export function ConnectorLog({ name, mayChange }: { name: string; mayChange: boolean }) {
  const logger = `connect.${name}`;
  const { data, problem, reload } = useConnect<
    Readonly<Record<string, { readonly level: string | null }>>
  >(connectAt(["admin", "loggers"]));
  const [wanted, setWanted] = useState<Level | null>(null);
  const [isDone, setDone] = useState(false);
  const levels = data ?? {};
  const now = levels[logger]?.level ?? levels["connect"]?.level ?? levels["root"]?.level ?? "INFO";
  const chosen = wanted ?? LEVELS.find((each) => each === now) ?? "INFO";
  const set = async () => {
    const url = connectAt(["admin", "loggers", logger], { scope: "cluster" });
    await askConnect("PUT", url, { level: chosen });
    setDone(true);
    reload();
  };
  return (
    <section class="panel">
      <h2>What workers log of it</h2>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && (
        <Form action="Set" onSubmit={set} isDisabled={!mayChange || chosen === now}>
          <Select
            name="Least urgent lines, on all workers, until they begin anew"
            value={chosen}
            options={LEVELS.map((each) => [each, each.toLowerCase()] as const)}
            onChange={(level) => {
              setDone(false);
              setWanted(level);
            }}
          />
          {isDone && <p class="done" role="status">It is set.</p>}
        </Form>
      )}
    </section>
  );
}
