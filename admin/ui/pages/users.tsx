/** Users that log in by name and password (SCRAM). Nobody, these pages neither, can read a password. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { FilterBar } from "../components/filter.tsx";
import { Field, Form, Select, TypedConfirmation } from "../components/form.tsx";
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, get, path, send } from "../data/api.ts";
import { count, plural } from "../data/format.ts";
import type { UserView } from "../data/model.ts";
import { usePagedList, useSettled } from "../data/use-resource.ts";
import { href, useQueryState } from "../router.ts";

const PAGE = 1000;
const MECHANISMS = [
  ["SCRAM-SHA-256", "SCRAM-SHA-256"],
  ["SCRAM-SHA-512", "SCRAM-SHA-512"],
] as const;

type Chosen = { readonly user: UserView; readonly action: "password" | "delete" };

function columnsOf(onChoose: (chosen: Chosen) => void): readonly Column<UserView>[] {
  return [
    { name: "User", show: ({ name }) => name, by: ({ name }) => name },
    {
      name: "Logs in by",
      show: ({ iterations }) =>
        Object.entries(iterations).map(([name, times]) => `${name} (${count(times)} rounds)`)
          .join(", "),
      isMinor: true,
    },
    {
      name: "May",
      show: ({ name }) => (
        <a href={href(path(["access", "acls"], { filter: `User:${name}` }))}>ACLs</a>
      ),
      isMinor: true,
    },
    {
      name: "Action",
      show: (user) => (
        <div class="row end">
          <button
            type="button"
            class="small"
            onClick={() => onChoose({ user, action: "password" })}
          >
            Password…
          </button>
          <button
            type="button"
            class="small danger"
            onClick={() => onChoose({ user, action: "delete" })}
          >
            Delete…
          </button>
        </div>
      ),
    },
  ];
}

export function UsersTab() {
  const [filter, setFilter] = useQueryState("filter");
  const [chosen, setChosen] = useState<Chosen | "new" | null>(null);
  const wanted = useSettled(filter, 150);
  const list = usePagedList<UserView>(wanted, async (cursor, signal) => {
    const query = { limit: PAGE, filter: wanted, cursor: cursor ?? "" };
    const page = await get(at("/v1/users", query), signal);
    return { items: page.users, total: null, cursor: page.nextCursor };
  });
  const { items, problem } = list;
  const isFirst = items.length === 0 && list.isLoading;
  const close = () => setChosen(null);
  const done = () => {
    close();
    list.reload();
  };
  return (
    <>
      <FilterBar
        label="Filter users"
        placeholder="A part of the name"
        value={filter}
        onChange={setFilter}
        count={isFirst || problem !== null ? "" : plural(items.length, "user")}
      >
        <button type="button" class="main" onClick={() => setChosen("new")}>Add user</button>
      </FilterBar>
      <ProblemNote problem={problem} onRetry={list.reload} />
      {isFirst && problem === null && <Loading />}
      {list.isComplete && items.length === 0 && <NoUsers filter={wanted} />}
      {items.length > 0 && (
        <Table
          label="Users"
          items={items}
          columns={columnsOf(setChosen)}
          keyOf={({ name }) => name}
          onOpen={(user) => setChosen({ user, action: "password" })}
          onEnd={list.more}
        />
      )}
      {chosen === "new" && <Password user={null} onClose={close} onDone={done} />}
      {chosen !== null && chosen !== "new" && chosen.action === "password" && (
        <Password user={chosen.user} onClose={close} onDone={done} />
      )}
      {chosen !== null && chosen !== "new" && chosen.action === "delete" && (
        <Delete user={chosen.user} onClose={close} onDone={done} />
      )}
    </>
  );
}

function NoUsers({ filter }: { filter: string }) {
  if (filter !== "") return <Empty title={`No user has “${filter}” in their name`} />;
  return (
    <Empty title="There are no users with a password">
      <p>Add one here, or so:</p>
      <Command text="kstream user set alice --password-file alice.secret" />
    </Empty>
  );
}

/** Of a user that there is, or of a new one. */
function Password({ user, onClose, onDone }: {
  user: UserView | null;
  onClose: () => void;
  onDone: () => void;
}) {
  const [name, setName] = useState(user?.name ?? "");
  const [password, setPassword] = useState("");
  const [mechanism, setMechanism] = useState<"SCRAM-SHA-256" | "SCRAM-SHA-512">("SCRAM-SHA-256");
  const set = async () => {
    const body = { password, ...(user === null ? { mechanism } : {}) };
    await send("PUT", at("/v1/users/:name", { name }), body);
    onDone();
  };
  return (
    <Dialog title={user === null ? "Add user" : `Password of ${user.name}`} onClose={onClose}>
      <Form action={user === null ? "Add" : "Set"} onSubmit={set}>
        {user === null && (
          <Field name="Name">
            <input
              required
              autoComplete="off"
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </Field>
        )}
        <Field name="Password: the cluster keeps a hash of it, and nobody can read it again">
          <input
            required
            type="password"
            autoComplete="new-password"
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </Field>
        {user === null
          ? (
            <Select
              name="Logs in by"
              value={mechanism}
              options={MECHANISMS}
              onChange={setMechanism}
            />
          )
          : <p class="muted">Who is connected stays so; the next login needs the new one.</p>}
      </Form>
    </Dialog>
  );
}

function Delete({ user: { name }, onClose, onDone }: {
  user: UserView;
  onClose: () => void;
  onDone: () => void;
}) {
  const remove = async () => {
    await send("DELETE", at("/v1/users/:name", { name }));
    onDone();
  };
  return (
    <Dialog title="Delete the user" onClose={onClose}>
      <TypedConfirmation name={name} action="Delete" onConfirm={remove}>
        <p>Nobody can log in in this name from then on. ACLs and quotas of the name stay.</p>
      </TypedConfirmation>
    </Dialog>
  );
}
