/** Share groups by Kafka's own Java share consumer; `share-groups` tries the tools. */
import { javaProgram, needJavaPrograms, runScenarios } from "../java-programs.ts";
import type { CompatSuite } from "../suite.ts";
import { withTarget } from "../target.ts";

/** So that heartbeats are frequent, sessions short and locks shorter. */
const SETTINGS = {
  "group.share.min.record.lock.duration.ms": "1000",
  "group.share.min.session.timeout.ms": "1000",
  "group.share.session.timeout.ms": "6000",
  "group.share.min.heartbeat.interval.ms": "100",
  "group.share.heartbeat.interval.ms": "500",
};

/** Starts a member that takes records of group `crash` and keeps them, and kills it with SIGKILL. */
async function crashMember(bootstrap: string): Promise<void> {
  const child = Bun.spawn(javaProgram("ShareConsumers", bootstrap, "hold", "crash", "5"), {
    stdout: "pipe",
    stderr: "ignore",
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  let text = "";
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("holds")) child.kill("SIGKILL");
  }
  clearTimeout(timer);
  await child.exited;
  if (!text.includes("holds")) throw new Error("the member to be killed never got a record");
}

export const javaShareGroups: CompatSuite = {
  name: "java-share-groups",
  needs: [needJavaPrograms],
  inSample: false,
  control: true,
  cases: [
    {
      name: "acknowledgements, redelivery, limits, renewal, isolation",
      run: () =>
        withTarget(
          ({ bootstrap }) =>
            runScenarios("ShareConsumers", bootstrap, [
              "explicit",
              "several-members",
              "delivery-limit",
              "lock-expiry",
              "renew",
              "isolation",
            ]),
          SETTINGS,
        ),
    },
    {
      name: "what a killed member held comes to another, also from a broker that was killed",
      run: () =>
        withTarget(async (target) => {
          await crashMember(target.bootstrap);
          await target.crash();
          await target.restart();
          await runScenarios("ShareConsumers", target.bootstrap, ["after-crash"]);
        }, SETTINGS),
    },
  ],
};
