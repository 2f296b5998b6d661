/**
 * A session with Connect's REST API: what people and scripts do, and what they get wrong. It runs
 * against a worker of Apache Kafka and one of ours, and the answers are compared.
 */

/** One request, or the same one until its answer is as it should be. */
export interface Step {
  readonly name: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Sent as JSON, unless it is text: then as it is. */
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Asked again until the answer has it. */
  readonly until?: RegExp;
}

/** What a step was answered. */
export interface Answer {
  readonly status: number;
  readonly location: string | null;
  /** Parsed, where it is JSON. */
  readonly body: unknown;
}

/** What differs from run to run: files, and the class names of either side. */
export interface Scene {
  readonly dir: string;
  readonly source: string;
  readonly sink: string;
}

const config = (name: string) => `/connectors/${name}/config`;
const put = (name: string, path: string, body?: unknown): Step => ({
  name,
  method: "PUT",
  path,
  body,
});
const get = (name: string, path: string, until?: RegExp): Step => {
  return { name, method: "GET", path, ...(until !== undefined && { until }) };
};
const post = (name: string, path: string, body?: unknown): Step => {
  return { name, method: "POST", path, body };
};
const remove = (name: string, path: string): Step => ({ name, method: "DELETE", path });
const patch = (name: string, path: string, body: unknown): Step => {
  return { name, method: "PATCH", path, body };
};

const RUNS = /"connector":\{"state":"RUNNING".*"tasks":\[\{"id":0,"state":"RUNNING"/;

/** The session. */
export function session({ dir, source, sink }: Scene): Step[] {
  const reading = {
    "connector.class": source,
    "tasks.max": "1",
    file: `${dir}/in`,
    topic: "lines",
  };
  const writing = {
    "connector.class": sink,
    "tasks.max": "1",
    file: `${dir}/out`,
    topics: "lines",
  };
  const failing = { ...writing, file: `${dir}/missing/out` };
  return [
    ...looking(),
    ...creating(reading, writing),
    ...changing(reading),
    ...stopping(),
    ...alteringOffsets(),
    ...restarting(failing),
    ...validating(source, reading),
    ...logging(),
    ...wrongRequests(reading),
    ...deleting(),
  ];
}

function looking(): Step[] {
  return [
    get("root", "/"),
    get("health", "/health", /healthy"/),
    get("no connectors yet", "/connectors"),
    get("plugins", "/connector-plugins"),
  ];
}

function creating(reading: object, writing: object): Step[] {
  return [
    post("create a source", "/connectors", { name: "in", config: reading }),
    get("it runs", "/connectors/in/status", RUNS),
    post("create it again", "/connectors", { name: "in", config: reading }),
    put("create a sink by its config", config("out"), writing),
    get("the sink runs", "/connectors/out/status", RUNS),
    post("create one paused", "/connectors", {
      name: "paused",
      config: { ...reading, file: "paused" },
      initial_state: "PAUSED",
    }),
    get("it is paused", "/connectors/paused/status", /"connector":\{"state":"PAUSED"/),
    post("create one stopped", "/connectors", {
      name: "stopped",
      config: { ...reading },
      initial_state: "STOPPED",
    }),
    get("it is stopped", "/connectors/stopped/status", /"connector":\{"state":"STOPPED"/),
    get("list", "/connectors"),
    get("info", "/connectors/in", /"tasks":\[\{/),
    get("info of a stopped one", "/connectors/stopped"),
    get("config", config("in")),
    get("tasks", "/connectors/in/tasks"),
    get("status of a task", "/connectors/in/tasks/0/status"),
    get("expand info", "/connectors?expand=info"),
    get("expand status", "/connectors?expand=status"),
    get("expand both", "/connectors?expand=info&expand=status"),
    get("expand what there is not", "/connectors?expand=nothing"),
    get("topics of the source", "/connectors/in/topics", /lines/),
    get("topics of the sink", "/connectors/out/topics", /lines/),
    put("forget topics", "/connectors/stopped/topics/reset"),
    get("no topics", "/connectors/stopped/topics"),
  ];
}

function changing(reading: object): Step[] {
  return [
    put("another config", config("in"), { ...reading, "batch.size": "100" }),
    get("it is there", config("in")),
    patch("patch it", config("in"), { "batch.size": "200", topic: "lines" }),
    patch("remove a key", config("in"), { "batch.size": null }),
    // Kafka's worker answers 500 while it expects a rebalance.
    get("the key is gone", config("in"), /"connector.class"/),
    get("it runs again", "/connectors/in/status", RUNS),
    patch("patch what is not there", config("nobody"), { a: "b" }),
    patch("patch to what is wrong", config("in"), { "tasks.max": "none" }),
    put("a name of another", config("in"), { ...reading, name: "other" }),
    put("pause", "/connectors/in/pause"),
    get("paused", "/connectors/in/status", /"tasks":\[\{"id":0,"state":"PAUSED"/),
    put("pause once more", "/connectors/in/pause"),
    put("resume", "/connectors/in/resume"),
    get("resumed", "/connectors/in/status", RUNS),
  ];
}

function stopping(): Step[] {
  return [
    put("stop the source", "/connectors/in/stop"),
    get("stopped", "/connectors/in/status", /"connector":\{"state":"STOPPED".*"tasks":\[\]/),
    put("stop it once more", "/connectors/in/stop"),
    get("no tasks", "/connectors/in/tasks"),
    get("not of a task", "/connectors/in/tasks/0/status"),
    put("stop the sink", "/connectors/out/stop"),
    get(
      "the sink is stopped",
      "/connectors/out/status",
      /"connector":\{"state":"STOPPED".*"tasks":\[\]/,
    ),
  ];
}

function alteringOffsets(): Step[] {
  const of = (name: string) => `/connectors/${name}/offsets`;
  const sinkOffset = (offset: unknown) => ({
    offsets: [{ partition: { kafka_topic: "lines", kafka_partition: 0 }, offset }],
  });
  return [
    get("offsets of the source", of("in")),
    get("offsets of the sink", of("out")),
    get("offsets of nobody", of("nobody")),
    patch("set the sink's", of("out"), sinkOffset({ kafka_offset: 1 })),
    get("they are set", of("out")),
    patch("forget a partition", of("out"), sinkOffset(null)),
    get("it is forgotten", of("out")),
    patch("none given", of("out"), { offsets: [] }),
    patch("no offsets at all", of("out"), {}),
    patch("an offset below zero", of("out"), sinkOffset({ kafka_offset: -1 })),
    patch("no offset of the sink's form", of("out"), sinkOffset({ offset: 1 })),
    patch("of nobody", of("nobody"), sinkOffset({ kafka_offset: 1 })),
    patch("of one that is not stopped", of("paused"), sinkOffset({ kafka_offset: 1 })),
    remove("reset the sink", of("out")),
    get("reset", of("out")),
    remove("reset the source", of("in")),
    get("reset, too", of("in")),
    remove("reset one that is not stopped", of("paused")),
    remove("reset nobody", of("nobody")),
    put("resume the source", "/connectors/in/resume"),
    get("it reads again", "/connectors/in/status", RUNS),
    get("from the start", of("in"), /position/),
  ];
}

function restarting(failing: object): Step[] {
  return [
    put("one that fails", config("failing"), failing),
    get("failed", "/connectors/failing/status", /"tasks":\[\{"id":0,"state":"FAILED"/),
    post("restart a task", "/connectors/in/tasks/0/restart"),
    get("it has restarted", "/connectors/in/status", RUNS),
    post("restart a connector", "/connectors/in/restart"),
    post("restart failed ones", "/connectors/failing/restart?onlyFailed=true&includeTasks=true"),
    post("restart with tasks", "/connectors/in/restart?includeTasks=true"),
    get("all have restarted", "/connectors/in/status", RUNS),
    post("restart only failed, and none has", "/connectors/in/restart?onlyFailed=true"),
    post("restart nobody", "/connectors/nobody/restart"),
    post("restart nobody and tasks", "/connectors/nobody/restart?includeTasks=true"),
    post("restart no task", "/connectors/in/tasks/7/restart"),
    post("restart a task of nobody", "/connectors/nobody/tasks/0/restart"),
    get("status of no task", "/connectors/in/tasks/7/status"),
  ];
}

function definitions(name: string): Step {
  return get(
    `definitions of ${name}`,
    `/connector-plugins/org.apache.kafka.connect.${name}/config`,
  );
}

function validating(source: string, reading: object): Step[] {
  const plugin = source.split(".").at(-1);
  const validate = `/connector-plugins/${plugin}/config/validate`;
  return [
    put("validate what is right", validate, { ...reading, name: "x" }),
    put("validate what lacks", validate, { "connector.class": source, name: "x" }),
    put("validate what is wrong", validate, { ...reading, name: "x", "tasks.max": "0" }),
    put("validate for another class", validate, { ...reading, "connector.class": "Other" }),
    put("validate without a class", validate, { topic: "a" }),
    get("definitions", `/connector-plugins/${plugin}/config`),
    get("definitions of nothing", "/connector-plugins/Nothing/config"),
    get("all plugins", "/connector-plugins?connectorsOnly=false"),
    ...["json.JsonConverter", "storage.StringConverter", "transforms.Cast$Value"].map(definitions),
    ...["RegexRouter", "InsertField$Key", "predicates.HasHeaderKey"].map((name) =>
      definitions(`transforms.${name}`)
    ),
    put("validate a transform", validate, {
      ...reading,
      name: "x",
      transforms: "route",
      "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
      "transforms.route.regex": "(.*)",
    }),
  ];
}

function logging(): Step[] {
  return [
    get("levels", "/admin/loggers"),
    get("the root", "/admin/loggers/root"),
    put("no such level", "/admin/loggers/root", { level: "LOUD" }),
    put("no level", "/admin/loggers/root", {}),
    put("set it", "/admin/loggers/root", { level: "WARN" }),
    put("set it for all", "/admin/loggers/root?scope=cluster", { level: "INFO" }),
    get("it is set", "/admin/loggers/root", /INFO/),
  ];
}

function wrongRequests(reading: object): Step[] {
  return [
    get("nobody", "/connectors/nobody"),
    get("config of nobody", config("nobody")),
    get("status of nobody", "/connectors/nobody/status"),
    get("tasks of nobody", "/connectors/nobody/tasks"),
    get("topics of nobody", "/connectors/nobody/topics"),
    put("pause nobody", "/connectors/nobody/pause"),
    put("resume nobody", "/connectors/nobody/resume"),
    put("stop nobody", "/connectors/nobody/stop"),
    remove("delete nobody", "/connectors/nobody"),
    post("no class", "/connectors", { name: "x", config: { topic: "a" } }),
    post("no such class", "/connectors", {
      name: "x",
      config: { "connector.class": "com.example.Nothing" },
    }),
    post("nothing needed is there", "/connectors", {
      name: "x",
      config: { "connector.class": (reading as { "connector.class": string })["connector.class"] },
    }),
    post("no name", "/connectors", { config: reading }),
    post("no config", "/connectors", { name: "x" }),
    post("no such state", "/connectors", { name: "x", config: reading, initial_state: "ASLEEP" }),
    { name: "no JSON", method: "POST", path: "/connectors", body: "{" },
    { name: "JSON of another form", method: "POST", path: "/connectors", body: "[]" },
    {
      name: "no JSON by its type",
      method: "POST",
      path: "/connectors",
      body: "{}",
      contentType: "text/plain",
    },
    get("nothing", "/nothing"),
    { name: "no such method", method: "DELETE", path: "/connectors" },
    {
      name: "tasks' configs without a signature",
      method: "POST",
      path: "/connectors/in/tasks",
      body: [],
    },
    { name: "fence without a signature", method: "PUT", path: "/connectors/in/fence" },
  ];
}

function deleting(): Step[] {
  return [
    remove("delete the source", "/connectors/in"),
    get("it is gone", "/connectors/in"),
    get("its status is gone", "/connectors/in/status", /No status/),
    remove("delete it again", "/connectors/in"),
    remove("delete the sink", "/connectors/out"),
    remove("delete the paused one", "/connectors/paused"),
    remove("delete the stopped one", "/connectors/stopped"),
    remove("delete the failing one", "/connectors/failing"),
    get("none is left", "/connectors", /\[\]/),
  ];
}

const STEP_MS = 60_000;

/** Goes through the session, and writes down what was answered. */
export async function play(url: string, steps: readonly Step[]): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  for (const step of steps) {
    const deadline = Date.now() + STEP_MS;
    for (;;) {
      const { answer, text } = await ask(url, step);
      answers.set(step.name, answer);
      if (step.until === undefined || step.until.test(text)) break;
      if (Date.now() > deadline) throw new Error(`"${step.name}" stays ${answer.status} ${text}`);
      await Bun.sleep(50);
    }
  }
  return answers;
}

async function ask(
  url: string,
  { method, path, body, contentType = "application/json" }: Step,
): Promise<{ answer: Answer; text: string }> {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    headers: body === undefined ? {} : { "content-type": contentType },
    signal: AbortSignal.timeout(STEP_MS),
  });
  const text = await response.text();
  const answer = {
    status: response.status,
    location: response.headers.get("location"),
    body: parsed(text),
  };
  return { answer, text };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
