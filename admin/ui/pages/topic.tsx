/** A topic: its records, partitions, configs, and who reads it. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Field, Form, TypedConfirmation } from "../components/form.tsx";
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { Tabs } from "../components/tabs.tsx";
import { at, path, send } from "../data/api.ts";
import { bytes, count, plural } from "../data/format.ts";
import type { TopicView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { href, navigate, useRoute } from "../router.ts";
import { ConfigList } from "./config-list.tsx";
import { Messages } from "./messages.tsx";
import { TopicGroups } from "./topic-groups.tsx";
import { TopicPartitions } from "./topic-partitions.tsx";

const TABS = [
  ["messages", "Messages"],
  ["partitions", "Partitions"],
  ["configs", "Configs"],
  ["groups", "Groups"],
] as const;

export function TopicPage() {
  const { params } = useRoute();
  const name = params["topic"] ?? "";
  const tab = params["tab"] ?? "messages";
  const topic = useResource(at("/v1/topics/:topic", { topic: name }), 3000);
  const { data, problem, reload } = topic;
  return (
    <>
      <p class="crumbs">
        <a href={href("/topics")}>Topics</a>
      </p>
      <div class="row">
        <h1>{name}</h1>
        {data !== null && <Actions topic={data} onDone={reload} />}
      </div>
      {problem?.status === 404
        ? <NoTopic name={name} />
        : <ProblemNote problem={problem} onRetry={reload} />}
      {data === null && problem === null && <Loading />}
      {data !== null && (
        <>
          <Summary topic={data} />
          <Tabs
            label="Parts of the topic"
            base={path(["topics", name])}
            current={tab}
            tabs={TABS}
          />
          {tab === "messages" && <Messages topic={data} />}
          {tab === "configs" && (
            <ConfigList url={at("/v1/topics/:topic/configs", { topic: name })} own="topic" />
          )}
          {tab === "groups" && <TopicGroups topic={name} />}
          {tab === "partitions" && <TopicPartitions topic={data} />}
        </>
      )}
    </>
  );
}

function NoTopic({ name }: { name: string }) {
  return (
    <Empty title="There is no topic of this name">
      <p>It may come back if it was deleted not long ago, or be made:</p>
      <Command text={`kstream topic undo ${name}`} />
      <br />
      <Command text={`kstream topic create ${name}`} />
    </Empty>
  );
}

function Summary({ topic: { partitions, records, sizeBytes, internal } }: { topic: TopicView }) {
  return (
    <p class="muted">
      {plural(partitions.length, "partition")} ·{" "}
      {records === null ? "–" : plural(records, "record")} · {bytes(sizeBytes)}
      {internal && " · internal"}
    </p>
  );
}

type Action = "partitions" | "purge" | "delete";

function Actions({ topic, onDone }: { topic: TopicView; onDone: () => void }) {
  const [action, setAction] = useState<Action | null>(null);
  const close = () => setAction(null);
  const done = () => {
    close();
    onDone();
  };
  return (
    <div class="row end">
      <button type="button" onClick={() => setAction("partitions")}>Add partitions</button>
      <button type="button" onClick={() => setAction("purge")}>Purge</button>
      <button type="button" class="danger" onClick={() => setAction("delete")}>Delete</button>
      {action === "partitions" && <AddPartitions topic={topic} onClose={close} onDone={done} />}
      {action === "purge" && <Purge topic={topic} onClose={close} onDone={done} />}
      {action === "delete" && <Delete topic={topic} onClose={close} />}
    </div>
  );
}

function AddPartitions({ topic, onClose, onDone }: {
  topic: TopicView;
  onClose: () => void;
  onDone: () => void;
}) {
  const now = topic.partitions.length;
  const [total, setTotal] = useState(String(now + 1));
  const add = async () => {
    const url = at("/v1/topics/:topic/partitions", { topic: topic.name });
    await send("POST", url, { count: Number(total) });
    onDone();
  };
  return (
    <Dialog title="Add partitions" onClose={onClose}>
      <Form action="Add" onSubmit={add}>
        <p>
          There are{" "}
          {count(now)}; they can only become more. New records of a key may go to another partition
          than older ones.
        </p>
        <Field name="Partitions in all">
          <input
            type="number"
            min={now + 1}
            value={total}
            onInput={(event) => setTotal(event.currentTarget.value)}
          />
        </Field>
      </Form>
    </Dialog>
  );
}

function Purge({ topic, onClose, onDone }: {
  topic: TopicView;
  onClose: () => void;
  onDone: () => void;
}) {
  const purge = async () => {
    const what = topic.topicId === null ? {} : { topicId: topic.topicId };
    await send("POST", at("/v1/topics/:topic/purge", { topic: topic.name }), what);
    onDone();
  };
  return (
    <Dialog title="Purge the topic" onClose={onClose}>
      <TypedConfirmation name={topic.name} action="Purge" onConfirm={purge}>
        <p>
          Deletes all {count(topic.records)} records; the topic and its configs stay. For a while
          <code>kstream topic undo</code> brings them back.
        </p>
      </TypedConfirmation>
    </Dialog>
  );
}

function Delete({ topic, onClose }: { topic: TopicView; onClose: () => void }) {
  const remove = async () => {
    await send("DELETE", at("/v1/topics/:topic", { topic: topic.name }));
    onClose();
    navigate("/topics");
  };
  return (
    <Dialog title="Delete the topic" onClose={onClose}>
      <TypedConfirmation name={topic.name} action="Delete" onConfirm={remove}>
        <p>
          Deletes the topic with its {count(topic.records)} records. For a while{" "}
          <code>kstream topic undo</code> brings it back.
        </p>
      </TypedConfirmation>
    </Dialog>
  );
}
