/** All topics; also ten thousand of them. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { FilterBar } from "../components/filter.tsx";
import { Field, Form } from "../components/form.tsx";
import {
  Badge,
  Command,
  Empty,
  Loading,
  NoneListed,
  NotForYou,
  ProblemNote,
} from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, get, path, send } from "../data/api.ts";
import { count } from "../data/format.ts";
import type { TopicItem } from "../data/model.ts";
import { usePagedList, useSettled } from "../data/use-resource.ts";
import { href, navigate, useQueryState } from "../router.ts";

const linkOf = ({ name }: TopicItem) => path(["topics", name]);

const COLUMNS: readonly Column<TopicItem>[] = [
  {
    name: "Topic",
    show: (topic) => (
      <>
        <a href={href(linkOf(topic))} tabIndex={-1}>{topic.name}</a>
        {topic.internal && <span class="note">internal</span>}
      </>
    ),
    by: ({ name }) => name,
  },
  { name: "State", show: (topic) => <TopicState topic={topic} />, by: stateOrder },
  {
    name: "Partitions",
    show: ({ partitions }) => count(partitions),
    by: ({ partitions }) => partitions,
    isNumber: true,
  },
  {
    name: "Replicas",
    show: ({ replicationFactor }) => count(replicationFactor),
    by: ({ replicationFactor }) => replicationFactor,
    isNumber: true,
    isMinor: true,
  },
];

/** The worst first. */
function stateOrder({ leaderless, underReplicated }: TopicItem): number {
  return -(leaderless * 1_000_000 + underReplicated);
}

function TopicState({ topic: { leaderless, underReplicated } }: { topic: TopicItem }) {
  if (leaderless > 0) return <Badge tone="bad" text={`${count(leaderless)} without leader`} />;
  if (underReplicated > 0) {
    return <Badge tone="warn" text={`${count(underReplicated)} under-replicated`} />;
  }
  return <Badge tone="good" text="healthy" />;
}

const PAGE = 1000;

export function TopicsPage() {
  const [filter, setFilter] = useQueryState("filter");
  const [internal, setInternal] = useQueryState("internal");
  const [isCreating, setCreating] = useState(false);
  const wanted = useSettled(filter, 150);
  const list = usePagedList<TopicItem>(`${wanted}\n${internal}`, async (cursor, signal) => {
    const query = { limit: PAGE, filter: wanted, internal, cursor: cursor ?? "" };
    const page = await get(at("/v1/topics", query), signal);
    return { items: page.topics, total: page.total, cursor: page.nextCursor };
  });
  const { items, problem } = list;
  const isFirst = items.length === 0 && list.isLoading;
  const found = `${count(items.length)}${list.isComplete ? "" : "+"} of ${count(list.total)}`;
  return (
    <>
      <div class="row">
        <h1>Topics</h1>
        <button type="button" class="main end" onClick={() => setCreating(true)}>
          Create topic
        </button>
      </div>
      <FilterBar
        label="Filter topics"
        placeholder="A part of the name"
        value={filter}
        onChange={setFilter}
        count={list.total === null ? "" : found}
      >
        <label class="check">
          <input
            type="checkbox"
            checked={internal === "true"}
            onChange={(event) => setInternal(event.currentTarget.checked ? "true" : "")}
          />
          Internal
        </label>
      </FilterBar>
      <ProblemNote problem={problem} onRetry={list.reload} />
      {isFirst && <Loading />}
      {!isFirst && problem === null && items.length === 0 && (
        <NoneListed what="topics">
          <NoTopics filter={wanted} />
        </NoneListed>
      )}
      {items.length > 0 && <NotForYou what="topics" />}
      {items.length > 0 && (
        <Table
          label="Topics"
          items={items}
          columns={COLUMNS}
          keyOf={({ name }) => name}
          linkOf={linkOf}
          total={list.isComplete ? items.length : -1}
          onEnd={list.more}
        />
      )}
      {isCreating && <CreateTopic onClose={() => setCreating(false)} />}
    </>
  );
}

function NoTopics({ filter }: { filter: string }) {
  if (filter !== "") return <Empty title={`No topic has “${filter}” in its name`} />;
  return (
    <Empty title="There are no topics yet">
      <p>Create one, or send something, which creates it:</p>
      <Command text="echo hello | kstream produce greetings" />
    </Empty>
  );
}

function CreateTopic({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [partitions, setPartitions] = useState("");
  const [replicas, setReplicas] = useState("");
  const [configs, setConfigs] = useState("");
  const create = async () => {
    await send("POST", at("/v1/topics"), {
      name,
      ...(partitions === "" ? {} : { partitions: Number(partitions) }),
      ...(replicas === "" ? {} : { replicationFactor: Number(replicas) }),
      configs: configsOf(configs),
    });
    onClose();
    navigate(path(["topics", name]));
  };
  return (
    <Dialog title="Create topic" onClose={onClose}>
      <Form action="Create" onSubmit={create}>
        <Field name="Name">
          <input required value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </Field>
        <Field name="Partitions (as num.partitions says)">
          <input
            type="number"
            min="1"
            value={partitions}
            onInput={(event) => setPartitions(event.currentTarget.value)}
          />
        </Field>
        <Field name="Replicas (as default.replication.factor says)">
          <input
            type="number"
            min="1"
            value={replicas}
            onInput={(event) => setReplicas(event.currentTarget.value)}
          />
        </Field>
        <Field name="Configs, one per line, as retention.ms=3600000">
          <textarea
            rows={3}
            value={configs}
            onInput={(event) => setConfigs(event.currentTarget.value)}
          />
        </Field>
      </Form>
    </Dialog>
  );
}

/** `name=value` per line. */
function configsOf(text: string): Record<string, string> {
  const configs: Record<string, string> = {};
  for (const line of text.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const at = line.indexOf("=");
    configs[at < 0 ? line : line.slice(0, at).trim()] = at < 0 ? "" : line.slice(at + 1).trim();
  }
  return configs;
}
